/** Reads the little of the WebAssembly binary format that metering needs. */
export class Reader {
  at = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new Error("The WebAssembly binary ends too early.");
    this.at += 1;
    return byte;
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new Error("The WebAssembly binary ends too early.");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** An unsigned LEB128 number. */
  uint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  /** Any LEB128 number, whatever it says. */
  skipNumber(): void {
    while (this.byte() >= 128);
  }

  sized(): Uint8Array {
    return this.take(this.uint());
  }
}

/** A growing byte string. */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  add(bytes: ArrayLike<number>): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  uint(value: number): void {
    this.add(uint(value));
  }

  sized(bytes: Uint8Array): void {
    this.uint(bytes.length);
    this.add(bytes);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length) as Uint8Array<ArrayBuffer>;
  }

  #grow(by: number): void {
    const bigger = new Uint8Array((this.#bytes.length + by) * 2);
    bigger.set(this.#bytes);
    this.#bytes = bigger;
  }
}

export function uint(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low + 128, ...uint(Math.floor(value / 128))];
}
