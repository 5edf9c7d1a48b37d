import { eigenLossKinds } from '../../src/config/eigen-loss-kinds.js'
import { philox4x32 } from '../../src/model/random.js'

const pieces = [
  ...[
    '(',
    ')',
    ',',
    '^',
    '-',
    '*',
    '/',
    '1e9',
    '1e309',
    '0',
    'k',
    'd',
    'n',
    '2',
    '0.5',
    '^65',
    ')^64',
    '/ variance * variance',
    'variance / variance *',
    '^-2.5',
    '((((((((',
    ' ',
  ],
  ...['sigma', 'p', 'lambda', 'mean', 'variance', 'covariance', 'moment', 'correlation', 'epsilon'],
  ...[
    'max(',
    'first(',
    'logdet(',
    'sum(',
    'log(',
    'exp(',
    'outer(',
    'offdiagonal(',
    'diagonal(',
    'abs(',
    'relu(',
  ],
  ...['💥', 'é', '.', '..', 'e', '\n', '\0', '__proto__', 'constructor', 'toString(', '1.e', '²'],
]
const numbers = ['0', '1', '2.5', '-1', 'd', 'n', '1e-9', '1e308']
const names = ['sigma', 'p', 'lambda', 'mean', 'variance', 'covariance', 'log', 'abs', 'relu', 'sum', 'exp']
const kinds = Object.values(eigenLossKinds).map(({ formula }) => formula)

/** Returns texts that resemble formulas: those of the kinds with a few random changes, and random pieces. The same each time. */
export function randomTexts(count: number): readonly string[] {
  const random = randomNumbers()
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const some = (text: string, pattern: RegExp, others: readonly string[]) =>
    text.replace(pattern, (old) => (random() < 0.2 ? pick(others) : old))
  const changed = (text: string): string => {
    const [from, to] = [random(), random()].map((x) => Math.floor(x * (text.length + 1))) as [number, number]
    return pick([
      () => some(text, /\d+(\.\d+)?/g, numbers),
      () => some(text, /[-+*/^]/g, ['+', '-', '*', '/', '^']),
      () => some(text, /\b[a-z]+\b/g, names),
      () => text.slice(0, from) + pick(pieces) + text.slice(from),
      () => text.slice(0, from) + text.slice(from + 1),
      () => text.slice(0, from) + pick(kinds).slice(0, to) + text.slice(from),
      () => text.slice(0, from) + text.slice(from).repeat(1 + Math.floor(random() * 40)),
      () => text.slice(0, from) + String.fromCodePoint(32 + Math.floor(random() * 95)) + text.slice(from + 1),
    ])()
  }
  return Array.from({ length: count }, () => {
    if (random() < 0.1) return Array.from({ length: Math.floor(random() * 20) }, () => pick(pieces)).join('')
    let text = pick(kinds)
    for (let edits = 1 + Math.floor(random() * 3); edits > 0; edits--) text = changed(text)
    return text
  })
}

/** Returns a generator of numbers from 0 to 1. */
function randomNumbers(): () => number {
  let count = 0
  return () => philox4x32([count++, 0, 0, 0], [1, 0])[0]! / 2 ** 32
}
