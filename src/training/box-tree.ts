const leafPoints = 40

// In more dimensions nearly every box is close to the query: at 32 a tree and a plain scan took equally long, at 64 the
// scan took a third of the tree's time.
const maximumDimensions = 32

/**
 * An exact search for nearest neighbours: a k-d tree (Bentley 1975; Friedman, Bentley and Finkel 1977) whose nodes
 * keep the bounding boxes of their points. The distance to a box is summed in the same order as the distance to a
 * point, so rounding never makes it larger, and no neighbour is lost.
 */
export class BoxTree {
  readonly #dimensions: number
  /** The axes by falling variance, so that a sum that becomes too large is abandoned early. */
  readonly #axes: Int32Array
  /** [count][dimensions], the points in the order of the leaves, the coordinates in the order of `#axes`. */
  readonly #points: Float32Array
  /** The index of each point of `#points` in the list given to the constructor. */
  readonly #indices: Int32Array
  /** [nodes][2][dimensions]: the lowest and the highest coordinates of each node. */
  readonly #boxes: number[] = []
  readonly #begins: number[] = []
  readonly #ends: number[] = []
  /** The second child of each node, 0 for a leaf. The first child is the next node. */
  readonly #seconds: number[] = []

  /** @param points [count][dimensions] */
  constructor(points: Float32Array, dimensions: number) {
    const count = points.length / dimensions
    this.#dimensions = dimensions
    this.#axes = widestFirst(points, dimensions)
    this.#indices = Int32Array.from({ length: count }, (_, index) => index)
    this.#points = new Float32Array(points.length)
    this.#build(points, 0, count)
    this.#indices.forEach((index, position) => {
      for (let j = 0; j < dimensions; j++)
        this.#points[position * dimensions + j] = points[index * dimensions + this.#axes[j]!]!
    })
  }

  /**
   * Returns the indices of the `k` points nearest to `point`, the nearest first, the lower index first if equally near.
   * @param without the index of a point to leave out, −1 for none
   */
  nearest(point: Float32Array, k: number, without: number): readonly number[] {
    const query = Float64Array.from(this.#axes, (axis) => point[axis]!)
    const found = new Nearest(k)
    this.#visit(0, 0, query, found, without)
    return found.indices
  }

  #build(points: Float32Array, begin: number, end: number): void {
    const node = this.#begins.length
    const widest = this.#addBox(points, begin, end)
    this.#begins.push(begin)
    this.#ends.push(end)
    this.#seconds.push(0)
    if (end - begin <= leafPoints || widest < 0 || this.#dimensions > maximumDimensions) return
    const middle = (begin + end) >> 1
    partition(this.#indices, begin, end, middle, (index) => points[index * this.#dimensions + widest]!)
    this.#build(points, begin, middle)
    this.#seconds[node] = this.#begins.length
    this.#build(points, middle, end)
  }

  /** Returns the axis along which the box is widest, −1 if all its points are equal. */
  #addBox(points: Float32Array, begin: number, end: number): number {
    const d = this.#dimensions
    let [widest, width] = [-1, 0]
    const lows: number[] = []
    const highs: number[] = []
    for (const axis of this.#axes) {
      let [low, high] = [Infinity, -Infinity]
      for (let position = begin; position < end; position++) {
        const value = points[this.#indices[position]! * d + axis]!
        if (value < low) low = value
        if (value > high) high = value
      }
      lows.push(low)
      highs.push(high)
      if (high - low > width) [widest, width] = [axis, high - low]
    }
    this.#boxes.push(...lows, ...highs)
    return widest
  }

  #visit(node: number, distance: number, query: Float64Array, found: Nearest, without: number): void {
    if (distance > found.farthest) return
    const second = this.#seconds[node]!
    if (second === 0) {
      this.#searchLeaf(node, query, found, without)
      return
    }
    const first = node + 1
    const [toFirst, toSecond] = [this.#boxDistance(first, query), this.#boxDistance(second, query)]
    if (toFirst <= toSecond) {
      this.#visit(first, toFirst, query, found, without)
      this.#visit(second, toSecond, query, found, without)
    } else {
      this.#visit(second, toSecond, query, found, without)
      this.#visit(first, toFirst, query, found, without)
    }
  }

  #boxDistance(node: number, query: Float64Array): number {
    const d = this.#dimensions
    const low = 2 * node * d
    let sum = 0
    for (let j = 0; j < d; j++) {
      const value = query[j]!
      const below = this.#boxes[low + j]! - value
      const above = value - this.#boxes[low + d + j]!
      const away = below > 0 ? below : Math.max(above, 0)
      sum += away * away
    }
    return sum
  }

  #searchLeaf(node: number, query: Float64Array, found: Nearest, without: number): void {
    const d = this.#dimensions
    let { farthest } = found
    for (let position = this.#begins[node]!; position < this.#ends[node]!; position++) {
      const index = this.#indices[position]!
      if (index === without) continue
      const base = position * d
      let sum = 0
      // Comparing the sum with the bound after every term would take longer than the terms themselves.
      for (let j = 0; j < d && (j % 2 === 1 || sum <= farthest); j++) {
        const away = query[j]! - this.#points[base + j]!
        sum += away * away
      }
      if (sum > farthest) continue
      found.offer(index, sum)
      farthest = found.farthest
    }
  }
}

/** The nearest points found so far, in order. */
class Nearest {
  readonly indices: number[] = []
  readonly #distances: number[] = []
  readonly #k: number
  /** Upper bound of a further point's squared distance; infinite until there are k points. */
  farthest = Infinity

  constructor(k: number) {
    this.#k = k
  }

  offer(index: number, distance: number): void {
    const { indices } = this
    const distances = this.#distances
    let position = indices.length
    const before = (other: number) =>
      distance < distances[other]! || (distance === distances[other]! && index < indices[other]!)
    while (position > 0 && before(position - 1)) position--
    if (position === this.#k) return
    indices.splice(position, 0, index)
    distances.splice(position, 0, distance)
    if (indices.length > this.#k) {
      indices.pop()
      distances.pop()
    }
    if (indices.length === this.#k) this.farthest = distances[this.#k - 1]!
  }
}

/** Returns the axes of points [count][dimensions] by falling variance. */
export function widestFirst(points: Float32Array, dimensions: number): Int32Array {
  const sums = new Float64Array(dimensions)
  const squares = new Float64Array(dimensions)
  points.forEach((value, position) => {
    sums[position % dimensions]! += value
    squares[position % dimensions]! += value * value
  })
  const count = points.length / dimensions
  const variances = squares.map((square, axis) => square / count - (sums[axis]! / count) ** 2)
  return Int32Array.from(variances.keys()).sort((a, b) => variances[b]! - variances[a]!)
}

/** Moves smaller keys before `middle` and larger ones after it (Hoare's quickselect). */
function partition(
  list: Int32Array,
  begin: number,
  end: number,
  middle: number,
  key: (item: number) => number,
): void {
  let [low, high] = [begin, end - 1]
  while (low < high) {
    const pivot = key(list[(low + high) >> 1]!)
    let [i, j] = [low, high]
    while (i <= j) {
      while (key(list[i]!) < pivot) i++
      while (key(list[j]!) > pivot) j--
      if (i > j) break
      const swapped = list[i]!
      list[i++] = list[j]!
      list[j--] = swapped
    }
    if (middle <= j) high = j
    else if (middle >= i) low = i
    else return
  }
}
