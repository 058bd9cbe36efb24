import { assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { FORMAT_LIMITS, nearestRate } from "../lib/frame/format.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

test("nearestRate() is the fraction that a rate was meant as", () => {
  const cases: readonly (readonly [number, string])[] = [
    [1, "1/1"],
    [20, "20/1"],
    [120, "120/1"],
    [12.5, "25/2"],
    [23.976, "2997/125"],
    [29.97, "2997/100"],
    [59.94, "2997/50"],
    [14.985, "2997/200"],
    [24000 / 1001, "24000/1001"],
    [30000 / 1001, "30000/1001"],
    [60000 / 1001, "60000/1001"],
    [29.12345, "54024/1855"],
    [100 / 3, "100/3"],
  ];
  for (const [fps, fraction] of cases) {
    const { frames, seconds } = nearestRate(fps);
    assertEquals(`${frames}/${seconds}`, fraction);
  }
});

test("nearestRate() is near any rate, in numbers that MPEG-4 has room for", () => {
  const random = new Random(20261124);
  const { minFps, maxFps } = FORMAT_LIMITS;
  const rates = Array.from({ length: 2000 }, () => minFps + (maxFps - minFps) * random.next() ** 3);
  for (const fps of [minFps, maxFps, 1.0000076, 119.99999999, 1.00001, ...rates]) {
    const { frames, seconds } = nearestRate(fps);
    assertLessOrEqual(frames, 65535);
    assertLess(Math.abs(frames / seconds / fps - 1), 1e-5, `${fps}: ${frames}/${seconds}`);
  }
});
