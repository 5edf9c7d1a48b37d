import { describe, expect, it } from 'vitest'
import { textWidth } from '../src/plots/font.js'
import { dodge } from '../src/plots/lines.js'
import { type Box, placeLabels } from '../src/plots/pareto.js'

describe('labels at the ends of lines', () => {
  it('stay in place if they are far enough apart', () => {
    expect(dodge([10, 50, 30], 13, [0, 100])).toEqual([10, 50, 30])
  })

  it('move as little as possible, in the same order, inside the panel', () => {
    expect(dodge([50, 50, 90], 10, [0, 100])).toEqual([45, 55, 90])
    expect(dodge([98, 99, 99], 10, [0, 100])).toEqual([80, 90, 100])
    expect(dodge([1, 0], 10, [0, 100])).toEqual([10, 0])
  })

  it('share the height evenly if they are too many', () => {
    expect(dodge([5, 5, 5], 80, [0, 100])).toEqual([0, 50, 100])
    expect(dodge([], 10, [0, 100])).toEqual([])
  })
})

describe('labels beside dots', () => {
  const panel = { width: 200, height: 100 }
  const overlap = (a: Box, b: Box) =>
    a.left < b.left + b.width &&
    b.left < a.left + a.width &&
    a.top < b.top + b.height &&
    b.top < a.top + a.height

  it('cover neither each other nor the edges of the panel', () => {
    const dots = [
      { x: 190, y: 5 },
      { x: 100, y: 50 },
      { x: 104, y: 52 },
      { x: 98, y: 47 },
    ]
    const boxes = placeLabels(
      dots.map((dot) => ({ ...dot, width: 40, height: 12 })),
      dots,
      panel,
    )
    for (const [index, box] of boxes.entries()) {
      expect(box.left >= 0 && box.left + box.width <= panel.width).toBe(true)
      expect(box.top >= 0 && box.top + box.height <= panel.height).toBe(true)
      expect(boxes.slice(0, index).some((other) => overlap(box, other))).toBe(false)
    }
  })

  it('give way to labels that have no other place', () => {
    // The second label fits only to the left of its dot, where the first one would be.
    const dots = [
      { x: 90, y: 95 },
      { x: 190, y: 95 },
    ]
    const [first, second] = placeLabels(
      dots.map((dot) => ({ ...dot, width: 80, height: 12 })),
      dots,
      panel,
    )
    expect(overlap(first!, second!)).toBe(false)
  })
})

it('reserves the width of a Chinese character for characters that another font draws', () => {
  expect(textWidth('中文', 10)).toBe(20)
  expect(textWidth('𝒩', 10)).toBe(10)
})

it('measures texts with the widths of the font', () => {
  // Source Sans 3 has 1,000 units per em; all its digits are 497 wide.
  expect(textWidth('0123456789', 10)).toBeCloseTo(49.7, 6)
  expect(textWidth('', 10)).toBe(0)
  expect(textWidth('mean', 20, 600)).toBeGreaterThan(textWidth('mean', 20, 400))
  expect(textWidth('σ/Σσ', 10)).toBeCloseTo(19.8, 6)
  expect(textWidth('Жж', 10)).toBeCloseTo(15.18, 6)
})
