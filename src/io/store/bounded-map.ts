/** What a value takes of the memory: bytes of its own, and buffers that other values may share. */
export interface Footprint {
  readonly own: number;
  readonly buffers: readonly Uint8Array[];
}

/** Limits of a {@link BoundedMap}. */
export interface MapBounds {
  readonly count: number;
  /** Of all values together; a buffer that several share is counted once. */
  readonly bytes: number;
}

/** A map that stays below its bounds: the values used least recently make room. */
export class BoundedMap<V> {
  // Kept in the order of use: Map iterates in the order of insertion.
  readonly #values = new Map<string, V>();
  /** How many values share each buffer. */
  readonly #users = new Map<Uint8Array, number>();
  readonly #bounds: MapBounds;
  readonly #footprint: (value: V) => Footprint;
  #bytes = 0;

  /** @param footprint must not change while a value is kept */
  constructor(bounds: MapBounds, footprint: (value: V) => Footprint) {
    this.#bounds = bounds;
    this.#footprint = footprint;
  }

  get count(): number {
    return this.#values.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): V | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.delete(key);
    this.#values.set(key, value);
    this.#add(value);
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.#bounds.count && this.#bytes <= this.#bounds.bytes) return;
      this.delete(oldest);
    }
  }

  delete(key: string): boolean {
    const value = this.#values.get(key);
    if (value === undefined) return false;
    this.#values.delete(key);
    this.#remove(value);
    return true;
  }

  /** @returns how many were deleted */
  deleteWhere(isMeant: (value: V) => boolean): number {
    const meant = [...this.#values].filter(([, value]) => isMeant(value));
    for (const [key] of meant) this.delete(key);
    return meant.length;
  }

  #add(value: V): void {
    const { own, buffers } = this.#footprint(value);
    this.#bytes += own;
    for (const buffer of buffers) {
      const users = this.#users.get(buffer) ?? 0;
      if (users === 0) this.#bytes += buffer.byteLength;
      this.#users.set(buffer, users + 1);
    }
  }

  #remove(value: V): void {
    const { own, buffers } = this.#footprint(value);
    this.#bytes -= own;
    for (const buffer of buffers) {
      const users = (this.#users.get(buffer) ?? 0) - 1;
      if (users > 0) {
        this.#users.set(buffer, users);
        continue;
      }
      this.#users.delete(buffer);
      this.#bytes -= buffer.byteLength;
    }
  }
}
