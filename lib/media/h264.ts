/**
 * The little that must be known of H.264: the access units that can be shown without those before
 * them. Pure.
 */

/** The types of the NAL units that hold a picture (ITU-T H.264, table 7-1). */
const SLICE = 1;
const IDR_SLICE = 5;

/**
 * True if an access unit, with start codes (annex B), begins anew: its first slice is of an IDR
 * picture.
 */
export function hasIdr(accessUnit: Uint8Array): boolean {
  for (let at = accessUnit.indexOf(1); at >= 0; at = accessUnit.indexOf(1, at + 1)) {
    if (at < 2 || accessUnit[at - 1] !== 0 || accessUnit[at - 2] !== 0) continue;
    const type = (accessUnit[at + 1] ?? 0) & 0x1f;
    if (type >= SLICE && type <= IDR_SLICE) return type === IDR_SLICE;
  }
  return false;
}
