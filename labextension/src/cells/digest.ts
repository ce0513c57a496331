/**
 * SHA-256 of a text, as the kernel writes it into a record.
 *
 * Rule: at once and everywhere. The browser's own digests are promises, and are not there on pages without TLS that
 * are not on this machine; what is compared here are sources of cells, no secrets.
 */
const ROOTS = primes(64).map(prime => fraction(Math.cbrt(prime)));
const START = primes(8).map(prime => fraction(Math.sqrt(prime)));

/** 64 hexadecimal digits. */
export function sha256(text: string): string {
  const words = padded(new TextEncoder().encode(text));
  const state = Uint32Array.from(START);
  const schedule = new Uint32Array(64);
  for (let at = 0; at < words.length; at += 16) {
    schedule.set(words.subarray(at, at + 16));
    extend(schedule);
    round(state, schedule);
  }
  return [...state].map(word => word.toString(16).padStart(8, '0')).join('');
}

/** The bytes, a one, zeros, and the length in bits, as whole blocks of sixteen words. */
function padded(bytes: Uint8Array): Uint32Array {
  const blocks = Math.ceil((bytes.length + 9) / 64);
  const view = new DataView(new ArrayBuffer(64 * blocks));
  new Uint8Array(view.buffer).set(bytes);
  view.setUint8(bytes.length, 0x80);
  view.setBigUint64(64 * blocks - 8, BigInt(8 * bytes.length));
  return Uint32Array.from({ length: 16 * blocks }, (_, word) => view.getUint32(4 * word));
}

function extend(schedule: Uint32Array): void {
  for (let at = 16; at < 64; at++) {
    const early = word(schedule, at - 15);
    const late = word(schedule, at - 2);
    const first = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
    const second = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
    schedule[at] = word(schedule, at - 16) + first + word(schedule, at - 7) + second;
  }
}

function round(state: Uint32Array, schedule: Uint32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let at = 0; at < 64; at++) {
    const choice = (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g));
    const most = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    const step = (h + choice + (ROOTS[at] ?? 0) + word(schedule, at)) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + step) | 0, c, b, a, (step + most) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, at) => {
    state[at] = word(state, at) + value;
  });
}

function word(words: Uint32Array, at: number): number {
  return words[at] ?? 0;
}

function turned(value: number, by: number): number {
  return (value >>> by) | (value << (32 - by));
}

/** The first 32 bits behind the point. */
function fraction(value: number): number {
  return Math.floor((value % 1) * 2 ** 32) | 0;
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate++) {
    if (found.every(prime => candidate % prime !== 0)) {
      found.push(candidate);
    }
  }
  return found;
}
