/** A rectangle in pixels; `left` and `top` are its upper left corner. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

export interface Anchor {
  readonly x: number
  readonly y: number
}

const distance = 4

// A label that is placed later may leave an earlier one a better place.
const passes = 3

/**
 * Places each label beside its dot where it covers the fewest other labels and dots and stays inside the panel: to the
 * upper right if it can be, where neither a line through dots nor a cross of intervals is likely. Positions and sizes are in pixels.
 */
export function placeLabels(
  labels: readonly (Anchor & { readonly width: number; readonly height: number })[],
  dots: readonly Anchor[],
  panel: { readonly width: number; readonly height: number },
): readonly Box[] {
  const placed: Box[] = []
  for (let pass = 0; pass < passes; pass++)
    for (const [index, label] of labels.entries()) {
      const others = placed.filter((_, other) => other !== index)
      const candidates = candidatesOf(label)
      const costs = candidates.map((box) => costOf(box, others, dots, panel))
      placed[index] = candidates[costs.indexOf(Math.min(...costs))]!
    }
  return placed
}

function candidatesOf({ x, y, width, height }: Anchor & { readonly width: number; readonly height: number }) {
  const [right, left, center] = [x + distance, x - distance - width, x - width / 2]
  const [middle, above, below] = [y - height / 2, y - distance - height, y + distance]
  const corners = [
    [right, above],
    [right, below],
    [left, above],
    [left, below],
    [right, middle],
    [left, middle],
    [center, above],
    [center, below],
  ] as const
  return corners.map(([cornerLeft, top]): Box => ({ left: cornerLeft, top, width, height }))
}

/** A covered label makes both unreadable, so it costs more than a covered dot, and a cut label costs most. */
function costOf(
  box: Box,
  placed: readonly Box[],
  dots: readonly Anchor[],
  panel: { readonly width: number; readonly height: number },
): number {
  const outside =
    box.left < 0 || box.top < 0 || box.left + box.width > panel.width || box.top + box.height > panel.height
  const labels = placed.filter((other) => overlap(box, other)).length
  const covered = dots.filter((dot) =>
    overlap(box, { left: dot.x - 3, top: dot.y - 3, width: 6, height: 6 }),
  ).length
  return (outside ? 100 : 0) + 10 * labels + covered
}

function overlap(a: Box, b: Box): boolean {
  const apart = a.left >= b.left + b.width || b.left >= a.left + a.width
  return !apart && a.top < b.top + b.height && b.top < a.top + a.height
}
