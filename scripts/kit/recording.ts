/** A recording as ffprobe reads it. */

/** The video of a file, and the codec of its sound. */
export interface Probe {
  /** Nothing if there is no sound. */
  readonly sound: string | undefined;
  readonly codec: string;
  readonly tag: string;
  readonly width: number;
  readonly height: number;
  readonly rate: string;
  readonly frames: number;
  readonly seconds: number;
}

/**
 * Reads a video file with ffprobe, counting its frames one by one. Throws `Deno.errors.NotFound` if
 * there is no ffprobe, and the words of ffprobe if it cannot read the file.
 */
export async function probe(path: string): Promise<Probe> {
  const entries =
    "codec_type,codec_name,codec_tag_string,width,height,r_frame_rate,nb_read_frames,duration";
  const { code, stdout, stderr } = await new Deno.Command("ffprobe", {
    args: [
      ...["-v", "error", "-count_frames", "-show_entries", `stream=${entries}`],
      ...["-of", "json", path],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(decoder.decode(stderr).trim());
  const { streams } = JSON.parse(decoder.decode(stdout));
  const of = (kind: string): Record<string, string> | undefined =>
    streams.find(({ codec_type }: Record<string, string>) => codec_type === kind);
  const { codec_name: sound } = of("audio") ?? {};
  const stream = of("video") ?? streams[0];
  return {
    sound,
    codec: stream.codec_name,
    tag: stream.codec_tag_string,
    width: stream.width,
    height: stream.height,
    rate: stream.r_frame_rate,
    frames: Number(stream.nb_read_frames),
    seconds: Number(stream.duration),
  };
}
