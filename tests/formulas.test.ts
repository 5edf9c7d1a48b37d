import { describe, expect, it } from 'vitest'
import { eigenLossKinds } from '../src/config/eigen-loss-kinds.js'
import { FormulaError, limits, type Program } from '../src/formulas/graph.js'
import type { Formula } from '../src/formulas/parse.js'
import { evaluate, type Inputs } from '../src/formulas/probe.js'
import { compileFormula } from '../src/formulas/program.js'
import { tapeOf } from '../src/formulas/tape.js'
import { philox4x32 } from '../src/model/random.js'
import { randomTexts } from './support/formula-texts.js'

const formula = (text: string, parameters = {}, center = false): Formula => ({ text, parameters, center })

function numbers(seed: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => philox4x32([i, 0, 0, 0], [seed, 0])[0]! / 2 ** 32)
}

/** Returns plausible statistics: the covariance is positive definite. */
function inputsOf(width: number, seed: number): Inputs {
  const roots = numbers(seed, width * (width + 3)).map((x) => 2 * x - 1)
  const row = (i: number) => roots.slice(i * (width + 3), (i + 1) * (width + 3))
  const covariance = Array.from({ length: width ** 2 }, (_, e) => {
    const [a, b] = [row(Math.floor(e / width)), row(e % width)]
    return a.reduce((sum, x, k) => sum + x * b[k]!, 0) / width
  })
  return {
    n: [2 * width + 3],
    sigma: numbers(seed + 1, width)
      .map((x) => 0.3 + 3 * x)
      .toSorted((a, b) => b - a),
    mean: numbers(seed + 2, width).map((x) => 2 * x - 1),
    variance: numbers(seed + 3, width).map((x) => 0.1 + 2 * x),
    covariance,
  }
}

const valueAt = (program: Program, inputs: Inputs) => evaluate(program, inputs).get(program.value)![0]!

/** Compares the derivatives with central differences, which a kink beside the point would spoil: all are smooth here. */
function expectDerivatives(program: Program, inputs: Inputs, elementsOfEach = 6) {
  const values = evaluate(program, inputs)
  for (const name of ['sigma', 'mean', 'variance', 'covariance'] as const) {
    const derivative = program.derivatives.get(name)
    const size = inputs[name].length
    for (let k = 0; k < Math.min(size, elementsOfEach); k++) {
      const e = (k * 7919) % size
      const [i, j] = [Math.floor(e / program.width), e % program.width]
      // Both elements of a symmetric matrix move.
      const moved = name === 'covariance' ? [...new Set([e, j * program.width + i])] : [e]
      const at = (step: number) =>
        valueAt(program, {
          ...inputs,
          [name]: inputs[name].map((x, m) => (moved.includes(m) ? x + step : x)),
        })
      const h = 1e-4 * Math.max(0.1, Math.abs(inputs[name][e]!))
      const difference = (8 * (at(h / 2) - at(-h / 2)) - (at(h) - at(-h))) / (6 * h)
      const slope = derivative === undefined ? 0 : values.get(derivative)![e]! * moved.length
      const scale = Math.max(Math.abs(difference), 1e-5 * Math.abs(valueAt(program, inputs)), 1e-4)
      expect(Math.abs(slope - difference) / scale, `${name}[${e}] of ${program.width}`).toBeLessThan(1e-6)
    }
  }
}

const headWords = 11

/** Every function and name of the language, in formulas that are smooth at the points of the tests. */
const texts = [
  'sum(log(sigma)) + mean(sqrt(variance))',
  'sum(exp(-mean^2)) / d',
  'sum(abs(mean)^1.5) + sum(relu(variance - 1))',
  'sum(xlogx(p)) - max(lambda) / sum(lambda) + sum(lambda)',
  'min(variance) + max(mean) * min(sigma)',
  'sum(max(variance, 0.7)) + sum(min(sigma, variance))',
  'sum(first(sigma, 1)) / sum(sigma) + max(first(variance, 1))',
  'sum(diagonal(covariance)^2) + trace(correlation^3)',
  'sum(offdiagonal(covariance)^2) + mean(outer(mean) * covariance)',
  'logdet(covariance) + logdet(moment, 0.1) * sum(variance)',
  'logdet(covariance + outer(variance), 0.01 * sum(variance)) / n',
  'sum(variance^alpha) - (sum(mean) / d)^-2 * (n - 1)',
  'log(max(lambda) / sum(lambda)) + alpha * sum(relu(1 - sqrt(variance + 1e-4))) / d',
  'sum(exp(covariance)) + max(covariance) + mean(max(covariance, 0.01))',
  'sum(-sigma^-0.5) + sum(2^mean)',
] as const

const manyPowers = Array.from({ length: 40 }, (_, i) => `sum(exp(${i} * variance)^63)`).join(' + ')

describe('a formula', () => {
  it.each(texts)('has the derivatives of differences: %s', (text) => {
    for (const width of [1, 2, 3, 10]) {
      const parameters = text.includes('alpha') ? { alpha: 0.7 } : {}
      expectDerivatives(compileFormula(formula(text, parameters), width), inputsOf(width, width))
    }
  })

  it.each([64, 128])('has them for layers of %i units', (width) => {
    const text = 'logdet(covariance, 0.1) + sum(offdiagonal(correlation)^2) + sum(xlogx(p))'
    expectDerivatives(compileFormula(formula(text), width), inputsOf(width, width), 1)
  })

  it.each(Object.entries(eigenLossKinds))('has them as the kind %s', (_, { formula: text }) => {
    const parameters = { k: 2, epsilon: 0.01 }
    for (const center of [false, true]) {
      for (const width of [3, 10]) {
        expectDerivatives(compileFormula(formula(text, parameters, center), width), inputsOf(width, 5))
      }
    }
  })

  it.each([
    ['1 + 2 * 3 ^ 2 ^ 0.5 - -4', 1 + 2 * 3 ** (2 ** 0.5) + 4],
    ['-2^2 / 4 * 3', -3],
    ['2 - 3 - 4', -5],
    ['8 / 4 / 2', 1],
    ['2^-1 + 1e1 + .5 + 3.', 14],
    ['(d + n) * 0.5', (3 + 9) / 2],
    ['min(1, 2) + max(3, 4) + abs(-2) + relu(-1) + xlogx(1)', 7],
  ])('has the usual precedence: %s', (text, expected) => {
    const program = compileFormula(formula(`${text} + sum(mean)`), 3)
    const inputs = { ...inputsOf(3, 1), n: [9], mean: [0, 0, 0] }
    expect(valueAt(program, inputs)).toBeCloseTo(expected, 12)
  })

  it('shares the derivative of the largest element among ties, and has none at the kink of relu', () => {
    const largest = compileFormula(formula('max(sigma)'), 3)
    const inputs = { ...inputsOf(3, 1), sigma: [2, 2, 1], mean: [0, 0, 0] }
    const slopesOf = (program: Program, name: 'sigma' | 'mean') =>
      evaluate(program, inputs).get(program.derivatives.get(name)!)
    expect(slopesOf(largest, 'sigma')).toEqual([0.5, 0.5, 0])
    expect(slopesOf(compileFormula(formula('sum(relu(mean))'), 3), 'mean')).toEqual([0, 0, 0])
    expect(slopesOf(compileFormula(formula('sum(abs(mean))'), 3), 'mean')).toEqual([0, 0, 0])
  })

  it.each([
    [
      'sum(sigmas)',
      5,
      'unknown name "sigmas", neither in the language nor in parameters; did you mean "sigma"?',
    ],
    ['alpha * sum(mean)', 1, 'unknown name "alpha", neither in the language nor in parameters'],
    ['summ(sigma)', 1, 'unknown function "summ"; did you mean "sum"?'],
    ['tanh(sum(mean))', 1, expect.stringMatching(/^unknown function "tanh"; known: log, exp, /)],
    ['sum(variance * covariance)', 14, 'a vector of 3 and a 3 × 3 matrix cannot be combined'],
    ['sigma / d', 1, 'the value must be a scalar, not a vector of 3'],
    ['sum(first(sigma, 4))', 18, 'must be a whole number from 1 to 3, the length of the vector'],
    ['sum(first(sigma, n))', 18, 'must be a whole number from 1 to 3, the length of the vector'],
    ['trace(sigma)', 7, 'trace takes a matrix here, not a vector of 3'],
    ['sum(outer(first(mean, 2)))', 11, 'outer takes a vector of 3 here, not a vector of 2'],
    [manyPowers, 1, 'the formula needs more than 500 instructions'],
    ['sum(sigma', 10, 'expected ")", got the end of the formula'],
    ['sum(sigma) mean', 12, 'expected an operator or the end of the formula, got "mean"'],
    ['sum(sigma) + ', 14, 'expected a value, got the end of the formula'],
    ['sum(sigma) $ 2', 12, 'unexpected character "$"'],
    ['sum', 1, 'the function sum needs arguments in parentheses'],
    ['max(sigma, mean, 2)', 1, 'max does not take 3 arguments'],
    ['log(0) + sum(sigma)', 1, 'not a finite number'],
    ['sum(sigma) / 0', 12, 'division by 0'],
    ['sum(0^variance)', 6, 'the base must be over 0 if the exponent varies'],
    ['sum(mean) + (1 - 3)^n', 20, 'the base must be over 0 if the exponent varies'],
    [`${'('.repeat(60)}sum(sigma)`, 51, 'nested more than 50 levels deep'],
    [' '.repeat(2001), 2001, 'a formula has at most 2000 characters'],
  ])('with a mistake is refused at its column: %s', (text, column, problem) => {
    expect(() => compileFormula(formula(text), 3)).toThrow(
      expect.objectContaining({ problem, column }) as FormulaError,
    )
  })

  it('is known to be constant for the widths at which it is', () => {
    const isConstant = (text: string, width: number) =>
      compileFormula(formula(text, { k: 1, epsilon: 0.01 }), width).isConstant
    for (const text of ['sum(p)', 'sum(first(sigma, d)) / sum(sigma)', 'n + 1'])
      expect(isConstant(text, 3), text).toBe(true)
    for (const [kind, { formula: text }] of Object.entries(eigenLossKinds)) {
      const inOneUnit = ['top-k', 'log-max', 'entropy', 'covariance', 'decorrelation'].includes(kind)
      expect(isConstant(text, 1), kind).toBe(inOneUnit)
      expect(isConstant(text, 2), kind).toBe(false)
    }
  })

  it.each([
    ...[
      'sum(relu(variance - 1e6))',
      'sum(relu(0.1 - variance)^2)',
      'sum(relu(sigma - 5)^2)',
      'max(abs(mean))',
    ],
    ...[
      'log(sum(exp(20 * sigma))) / 20',
      'log(sum(exp(50 * correlation))) / 50',
      'exp(-sum(variance^2) * 10)',
    ],
  ])(
    'that depends on the layer only beyond a kink, or little at most layers, is not constant: %s',
    (text) => {
      for (const width of [2, 4, 8])
        expect(compileFormula(formula(text), width).isConstant, `${width} units`).toBe(false)
    },
  )

  it('has vectors shorter than the layer, which outer refuses', () => {
    const text = 'sum(first(first(variance, 3) * trace(covariance), 2)) + sum(first(sigma, 2))^2'
    expectDerivatives(compileFormula(formula(text), 5), inputsOf(5, 1))
  })

  it('has values and derivatives at 0 where they exist, and none for logarithms of negative numbers', () => {
    const at = (text: string, mean: readonly number[]) => {
      const program = compileFormula(formula(text), 2)
      const values = evaluate(program, { ...inputsOf(2, 1), mean })
      return [values.get(program.value)![0], values.get(program.derivatives.get('mean')!)]
    }
    expect(at('sum(mean^1.5)', [0, 4])).toEqual([8, [0, 3]])
    expect(at('sum(mean * mean^2.5)', [0, 1])).toEqual([1, [0, 3.5]])
    expect(at('sum(xlogx(mean))', [0, 1])).toEqual([0, [Math.log(1e-300), 1]])
    expect(at('sum(xlogx(mean))', [-1, 1])[0]).toBeNaN()
  })

  it('needs few instructions for high powers of scalars', () => {
    const instructions = (text: string) =>
      (tapeOf(compileFormula(formula(text), 3)).words.length - headWords) / 7
    expect(instructions('sum(variance)^64')).toBeLessThan(25)
    expect(instructions('((sum(variance)^64)^64)^64')).toBeLessThan(70)
  })

  it('needs more images than dimensions for singular values, as many for a determinant, two for n and correlations', () => {
    const smallest = (text: string) => compileFormula(formula(text), 7).minimumImages
    expect(['max(p)', 'sum(lambda)', 'logdet(moment) + sum(sigma)'].map(smallest)).toEqual([8, 8, 8])
    expect(smallest('logdet(covariance, 0.1) / n')).toBe(7)
    // The mean has been subtracted from the rows of the matrix.
    expect(
      ['logdet(covariance)', 'logdet(moment, 0)', 'logdet(moment, min(variance))'].map(smallest),
    ).toEqual([8, 8, 8])
    expect(smallest('0 * sum(sigma) + sum(variance)')).toBe(1)
    expect(['sum(variance) / n', 'sum(correlation)', 'sum(variance)'].map(smallest)).toEqual([2, 2, 1])
  })

  it('answers 20,000 random and mutated texts with a tape or with an error at a column', () => {
    let tapes = 0
    for (const text of randomTexts(20_000)) {
      try {
        const { words } = tapeOf(compileFormula(formula(text, { k: 2, epsilon: 0.01 }), 3))
        expect(words.length).toBeLessThanOrEqual(headWords + 7 * limits.instructions)
        tapes += 1
      } catch (error) {
        if (!(error instanceof FormulaError)) throw new Error(JSON.stringify(text), { cause: error })
        expect(error.column).toBeGreaterThanOrEqual(1)
        expect(error.column).toBeLessThanOrEqual(text.length + 1)
      }
    }
    expect(tapes).toBeGreaterThan(1000)
  })
})
