/**
 * The little that must be known of H.264: the access units that can be shown without those before
 * them, and their parameters. Pure.
 */

/** The types of the NAL units that hold a picture (ITU-T H.264, table 7-1). */
const SLICE = 1;
const IDR_SLICE = 5;

/** The types of those that hold the parameters of pictures, both of which decoders need. */

const PARAMETERS = [7, 8];

/** True if an access unit tells the parameters of the pictures, which stand before its first one. */
export function hasParameterSets(accessUnit: Uint8Array): boolean {
  const found = new Set<number>();
  for (const type of unitTypes(accessUnit)) {
    if (isSlice(type)) break;
    found.add(type);
  }
  return PARAMETERS.every((type) => found.has(type));
}

/**
 * True if an access unit, with start codes (annex B), begins anew: its first slice is of an IDR
 * picture.
 */
export function hasIdr(accessUnit: Uint8Array): boolean {
  for (const type of unitTypes(accessUnit)) {
    if (isSlice(type)) return type === IDR_SLICE;
  }
  return false;
}

function isSlice(type: number): boolean {
  return type >= SLICE && type <= IDR_SLICE;
}

/** The types of the NAL units in an access unit, in order. */
function* unitTypes(accessUnit: Uint8Array): Generator<number> {
  for (let at = accessUnit.indexOf(1); at >= 0; at = accessUnit.indexOf(1, at + 1)) {
    if (at < 2 || accessUnit[at - 1] !== 0 || accessUnit[at - 2] !== 0) continue;
    yield (accessUnit[at + 1] ?? 0) & 0x1f;
  }
}
