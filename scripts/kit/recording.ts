/** A recording as ffprobe reads it. */

/** The video of a file. */
export interface Probe {
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
  const entries = "codec_name,codec_tag_string,width,height,r_frame_rate,nb_read_frames,duration";
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
  const { streams: [stream] } = JSON.parse(decoder.decode(stdout));
  return {
    codec: stream.codec_name,
    tag: stream.codec_tag_string,
    width: stream.width,
    height: stream.height,
    rate: stream.r_frame_rate,
    frames: Number(stream.nb_read_frames),
    seconds: Number(stream.duration),
  };
}
