import { describe, expect, it } from 'vitest'
import { compareNaturally } from '../src/text/names.js'

const sorted = [
  ['1e-05', '0.001', '0.003', '0.01', '0.03', '0.1', '0.3', '1', '3', '1e+21'].map(
    (rate) => `none,rate=${rate}`,
  ),
  ['k=-2', 'k=-1.5', 'k=0', 'k=.5', 'k=2', 'k=none'],
  ['seed-2', 'seed-10', 'seed-100'],
  ['lr_0.03', 'lr_0.1', 'lr-1e-05', 'lr-0.003', 'lr-0.01'],
  ['a', 'a,x=1', 'a,x=1,y=64', 'a,x=1,y=256', 'a,x=1.5,y=8', 'a,x=12'],
  ['widths=784-128-2', 'widths=784-128-10', 'widths=784-1280'],
  ['v1.2.9', 'v1.2.10', 'v1.9', 'v1.10'],
  ['run9a', 'run10a'],
  ['a=01', 'a=1', 'a=1.0'],
]

describe('the order of names', () => {
  it.each(sorted)('sorts numbers by their value: %s, %s, …', (...names) => {
    expect([...names].reverse().sort(compareNaturally)).toEqual(names)
  })

  it('is a total order', () => {
    const names = [...sorted.flat(), '', '=', '-', '1e999', '=1e999', '=+1', '1e5e5', 'é', 'e\u0301']
    const sign = (a: string, b: string) => Math.sign(compareNaturally(a, b))
    for (const a of names) {
      for (const b of names) {
        expect(sign(a, b)).toBe(-sign(b, a) + 0)
        expect(sign(a, b) === 0).toBe(a === b)
        for (const c of names)
          if (sign(a, b) < 0 && sign(b, c) < 0) expect(sign(a, c), `${a} ${b} ${c}`).toBe(-1)
      }
    }
  })
})
