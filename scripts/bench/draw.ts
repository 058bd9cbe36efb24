/**
 * Draws charts: reads `[{ path, width, height, option }]` from its standard input and writes an SVG
 * for each. It is a process of its own, away from this project's settings. So the library for
 * charts is no part of the programs and leaves nothing in this folder:
 *
 *   deno run --no-config --node-modules-dir=none --allow-env --allow-write=FOLDER draw.ts
 */

/** A chart to draw. The option is that of Apache ECharts. */
export interface Drawing {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly option: Readonly<Record<string, unknown>>;
}

/** The name is not an import on purpose: `deno check` would fetch the library for every check. */
const LIBRARY = "npm:echarts@6.1.0";

if (import.meta.main) {
  const { init } = await import(LIBRARY);
  const drawings: Drawing[] = await new Response(Deno.stdin.readable).json();
  for (const { path, width, height, option } of drawings) {
    const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
    chart.setOption({ animation: false, ...option });
    await Deno.writeTextFile(path, `${chart.renderToSVGString()}\n`);
    chart.dispose();
  }
}
