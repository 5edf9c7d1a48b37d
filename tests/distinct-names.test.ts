import { expect, it } from 'vitest'
import { armFinder } from '../src/comparison/labels.js'
import { terminalWidth, truncateDistinct, withoutShared } from '../src/text/shorten.js'

/** Returns a generator of whole numbers below a limit, the same ones in each run of the tests (Park and Miller 1988). */
function randomNumbers(seed: number) {
  let state = seed
  return (limit: number) => {
    state = (state * 48271) % 2147483647
    return state % limit
  }
}

/** Returns the names of the arms of a random sweep: of variants, numbers, lists and trials. */
function randomArms(seed: number): readonly string[] {
  const below = randomNumbers(seed + 1)
  const chosen = <Value>(values: readonly Value[]) => values[below(values.length)]!
  const list = () =>
    [784, ...Array.from({ length: below(6) }, () => 4 + below(3)), chosen([2, 3, 10])].join('-')
  const axes = [
    () => `learningRate=${chosen([0.1, 0.01, 0.001, 0.0123])}`,
    () => `widths=${list()}`,
    () => `weight=${chosen([0, 1, 1e-7])}`,
    () => `formula=sum-variance-d-${8 + below(3)}a0d519e`,
    () => `trial-${String(1 + below(20)).padStart(3, '0')}`,
  ].slice(below(4))
  const variants = ['none', 'a-variant-with-a-long-name', 'a-variant-with-a-long-nose', '日本語の名前']
  const arms = Array.from({ length: 2 + below(20) }, () =>
    [chosen(variants.slice(below(4))), ...axes.map((value) => value())].join(' '),
  )
  return [...new Set(arms)]
}

it.each([80, 36, 20, 12])('keeps the names of random arms distinct in %d columns', (width) => {
  for (let seed = 0; seed < 100; seed++) {
    const arms = randomArms(seed)
    const names = truncateDistinct(arms, width)
    expect(new Set(names).size, arms.join('\n')).toBe(arms.length)
    expect(Math.max(...names.map(terminalWidth)), names.join('\n')).toBeLessThanOrEqual(width)
  }
})

it.each([80, 36, 20])(
  'separates what all arms share, and finds each arm by its rest in %d columns',
  (width) => {
    for (let seed = 0; seed < 100; seed++) {
      const arms = randomArms(seed)
      const { shared, rests } = withoutShared(arms)
      const shown = arms.map((arm) => rests.get(arm)!)
      expect(new Set(shown).size, arms.join('\n')).toBe(arms.length)
      expect(shown).not.toContain('')
      for (const [index, rest] of shown.entries())
        if (rest !== arms[index])
          for (const setting of shared.split(', ')) expect(rest.split(' ')).not.toContain(setting)
      const find = armFinder(arms.map((name) => ({ name, place: null })))
      expect(shown.map(find), arms.join('\n')).toEqual(arms.map((name) => [{ name, place: null }]))
      const short = truncateDistinct(shown, width)
      expect(new Set(short).size, short.join('\n')).toBe(arms.length)
      // A number replaces what has no space.
      for (const [index, name] of short.entries())
        if (!name.includes('#')) expect(find(name), name).toContainEqual({ name: arms[index], place: null })
    }
  },
)

it.each([
  ['eigen/seed-0', 'none/seed-0', 'seed-0', ['eigen', 'none']],
  ['eigen', 'eigen trial-001', 'eigen', ['eigen', 'trial-001']],
  ['top-k,k=1,rate=3', 'top-k,k=2,rate=3', 'top-k, rate=3', ['k=1', 'k=2']],
  ['a b', 'b a', 'a, b', ['a b', 'b a']],
])('separates what %s and %s share', (first, second, shared, rests) => {
  const separated = withoutShared([first, second])
  expect([separated.shared, [...separated.rests.values()]]).toEqual([shared, rests])
})

it('leaves one name whole, and all names if two rests would be the same', () => {
  expect(withoutShared(['eigen weight=1']).rests.get('eigen weight=1')).toBe('eigen weight=1')
  const names = ['a b x', 'b a x', 'a b y']
  expect(withoutShared(names)).toEqual({ shared: '', rests: new Map(names.map((name) => [name, name])) })
})

it('shortens a setting first to the last key of its path', () => {
  const arms = [0.1, 1].map((weight) => `loss.eigen.weight=${weight},train.batchSize=${100 * weight}`)
  expect(truncateDistinct(arms, 26)).toEqual(['weight=0.1,batchSize=10', 'weight=1,batchSize=100'])
})

it('shortens each setting in its middle, and keeps values whole as long as it can', () => {
  const arms = [0.001, 0.003].flatMap((rate) =>
    [3, 10].map((latent) => `top-k widths=784-128-64-12-${latent} weight=0.1 learningRate=${rate}`),
  )
  expect(truncateDistinct(arms, 36)).toEqual([
    '… widths=…3 … learningRate=0.001',
    '… widths=…10 … learningRate=0.001',
    '… widths=…3 … learningRate=0.003',
    '… widths=…10 … learningRate=0.003',
  ])
})

it('leaves names that fit and equal names as they are', () => {
  expect(truncateDistinct(['eigen', 'none', 'eigen'], 5)).toEqual(['eigen', 'none', 'eigen'])
  expect(truncateDistinct(['a-long-name', 'a-long-name'], 7)).toEqual(['a-l…ame', 'a-l…ame'])
})
