const CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/** ASCII order, so that ids of one object sort in the order they were made. */
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const INSTANCE = "dM0";

/** The three characters that make a case-sensitive 15-character id safe where case is lost. */
export function checksum(id15: string): string {
  let suffix = "";
  for (let block = 0; block < 15; block += 5) {
    let bits = 0;
    for (let at = 0; at < 5; at += 1) {
      const code = id15.charCodeAt(block + at);
      if (code >= 65 && code <= 90) bits |= 1 << at;
    }
    suffix += CHECK[bits];
  }
  return suffix;
}

/** 18 characters from a 15- or 18-character id; null for anything else. */
export function toId18(id: string): string | null {
  if (!/^[A-Za-z0-9]+$/.test(id)) return null;
  if (id.length === 15) return id + checksum(id);
  return id.length === 18 ? id : null;
}

export function makeId(keyPrefix: string, sequence: number): string {
  let tail = "";
  for (let rest = sequence; tail.length < 9; rest = Math.floor(rest / 62)) tail = DIGITS[rest % 62] + tail;
  const id15 = keyPrefix + INSTANCE + tail;
  return id15 + checksum(id15);
}
