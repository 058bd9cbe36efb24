/**
 * Stand-in for `@std/bytes` on a network without JSR: {@linkcode concat} and {@linkcode equals},
 * nothing else. `tests/std_contract_test.ts` holds it and the real package to the same behaviour.
 *
 * @module
 */

export { concat } from "./concat.ts";
export { equals } from "./equals.ts";
