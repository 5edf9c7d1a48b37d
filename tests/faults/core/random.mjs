/** Reproducible random choices. Each try has its own generator, so that a failed try can be repeated alone. */
export class Choice {
  #state

  constructor(...names) {
    this.#state = hash(names.join(':'))
  }

  /** Returns a whole number from 0 to `limit` − 1. */
  below(limit) {
    return Math.floor(this.#next() * limit)
  }

  /** Returns a whole number from `first` to `last`. */
  between(first, last) {
    return first + this.below(last - first + 1)
  }

  of(list) {
    return list[this.below(list.length)]
  }

  chance(probability) {
    return this.#next() < probability
  }

  /** Mulberry32. */
  #next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** FNV-1a. */
function hash(text) {
  let value = 0x811c9dc5
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193)
  return value
}
