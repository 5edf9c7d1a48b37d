import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { differenceLabels } from '../src/comparison/labels.js'
import { armName, armParts, valueName } from '../src/config/arm-name.js'
import { checkConfig, effectWarnings } from '../src/config/check.js'
import { eigenLossKinds as kindTable } from '../src/config/eigen-loss-kinds.js'
import { configSchema } from '../src/config/schema.js'
import { readSweepFile } from '../src/config/sweep.js'
import { configs } from './support/cli.js'

const eigenLossKinds = Object.keys(kindTable)

/** Returns the mistakes of a config with an eigen loss on a latent layer of 3 units, behind a hidden layer of 8. */
function mistakes(eigen: object, batchSize: number): readonly string[] {
  const config = { name: 'x', model: { widths: [784, 8, 3] }, loss: { eigen }, train: { batchSize } }
  const checked = checkConfig(config, 'written')
  return checked.kind === 'config'
    ? []
    : checked.mistakes.map(({ path, problem }) => `${path.join('.')}: ${problem}`)
}

/** Returns the smallest batch that a config may have. */
function smallestBatch(eigen: object): number {
  return [...Array(20).keys()].findIndex((batchSize) => mistakes(eigen, batchSize).length === 0)
}

describe('the kinds of eigen losses', () => {
  it.each(eigenLossKinds)('%s needs no other field', (kind) => {
    expect(mistakes({ kind }, 64)).toEqual([])
  })

  it('need more images than dimensions if they are functions of all singular values', () => {
    for (const kind of ['top-k', 'log-max', 'entropy']) {
      expect(smallestBatch({ kind }), kind).toBe(4)
      expect(smallestBatch({ kind, layers: 'all' }), kind).toBe(9)
    }
  })

  it('need as many images as dimensions if their epsilon allows for an eigenvalue of 0', () => {
    for (const kind of ['log-det', 'kl-normal']) {
      expect(smallestBatch({ kind }), kind).toBe(3)
      expect(smallestBatch({ kind, layers: 'all' }), kind).toBe(8)
    }
  })

  it('need two images if they divide by the number of images less one, or correlate', () => {
    for (const kind of ['variance', 'covariance', 'decorrelation'])
      expect(smallestBatch({ kind, layers: 'all' }), kind).toBe(2)
    expect(smallestBatch({ kind: 'kl-diagonal', layers: 'all' })).toBe(1)
  })

  it('are refused with the reason if the batch is too small', () => {
    expect(mistakes({ kind: 'entropy', layers: ['encoder.0'] }, 8)).toEqual([
      'train.batchSize: must be over 8, the width of encoder.0, with loss.eigen on that layer: the rank of its matrix is at most the number of images (got 8)',
    ])
    expect(mistakes({ kind: 'kl-normal', layers: ['encoder.0'] }, 7)).toEqual([
      'train.batchSize: must be at least 8, the width of encoder.0, with loss.eigen on that layer: the rank of its matrix is at most the number of images (got 7)',
    ])
    expect(mistakes({ kind: 'variance' }, 1)).toEqual([
      'train.batchSize: must be at least 2 for loss.eigen (got 1)',
    ])
  })

  it('have a choice of centring only if their definition leaves it open', () => {
    const centred = eigenLossKinds.filter((kind) => mistakes({ kind, center: true }, 64).length === 0)
    expect(centred).toEqual(['top-k', 'log-max', 'entropy', 'log-det'])
    expect(mistakes({ kind: 'kl-normal', center: true }, 64)).toEqual([
      expect.stringContaining('loss.eigen.center: is not a field of the kind "kl-normal", only of "top-k"'),
    ])
  })

  it('are refused where a user wrote them if they are constant: relations in a layer of one unit', () => {
    const refused = (eigen: object, widths = [784, 8, 1]) => {
      const checked = checkConfig({ name: 'x', model: { widths }, loss: { eigen } }, 'written')
      return checked.kind === 'config' ? [] : checked.mistakes.map(({ problem }) => problem)
    }
    const constant = eigenLossKinds.filter(
      (kind) => refused({ kind, ...(kind === 'top-k' && { k: 1 }) }).length,
    )
    expect(constant).toEqual(['top-k', 'log-max', 'entropy', 'covariance', 'decorrelation'])
    expect(refused({ kind: 'entropy' })).toEqual([
      'has no effect on latent (width 1), where entropy is constant',
    ])
    expect(refused({ k: 3 }, [784, 8, 3])).toEqual([
      'has no effect on latent (width 3), where top-k with k = 3 is constant',
    ])
    expect(refused({ k: 2 }, [784, 8, 3])).toEqual([])
    // It still acts on the other layers, with a warning.
    const eigen = { kind: 'entropy', layers: 'all' }
    expect(refused(eigen)).toEqual([])
    const checked = checkConfig({ name: 'x', model: { widths: [784, 8, 1] }, loss: { eigen } })
    expect(checked.kind === 'config' && effectWarnings(checked.config)).toEqual([
      'loss.eigen: has no effect on latent (width 1), where entropy is constant',
    ])
  })

  it('have an epsilon over 0 if a logarithm could be infinite', () => {
    const withEpsilon = eigenLossKinds.filter((kind) => mistakes({ kind, epsilon: 0.1 }, 64).length === 0)
    expect(withEpsilon).toEqual(['log-det', 'kl-normal', 'kl-diagonal'])
    expect(mistakes({ kind: 'log-det', epsilon: 0 }, 64)).toEqual([
      'loss.eigen.epsilon: must be at least 1e-8 (got 0)',
    ])
  })
})

describe('the kind "formula"', () => {
  const formula = (text: string, changes = {}) => ({ kind: 'formula', formula: text, ...changes })

  it('is checked for the width of each of its layers, at the column of a mistake', () => {
    expect(mistakes(formula('sum(first(sigma, 3)) / sum(sigma)', { layers: 'hidden' }), 64)).toEqual([])
    expect(mistakes(formula('sum(first(sigma, 4))', { layers: 'all' }), 64)).toEqual([
      'loss.eigen.formula: column 18: must be a whole number from 1 to 3, the length of the vector, on latent',
    ])
    expect(mistakes([{ kind: 'entropy' }, formula('sum(sigmas) + 1')], 64)).toEqual([
      'loss.eigen.1.formula: column 5: unknown name "sigmas", neither in the language nor in parameters; did you mean "sigma"?',
    ])
  })

  it('has parameters that are in the formula, with names of their own, and is centred only if that has a meaning', () => {
    const parameters = { alpha: 1, beta: 2, sum: 3 }
    expect(mistakes(formula('alpha * sum(mean) + gamma', { parameters, center: true }), 64)).toEqual([
      'loss.eigen.parameters.beta: is not in the formula',
      'loss.eigen.parameters.sum: is reserved for formulas; give the parameter another name',
      'loss.eigen.center: must be false: the formula has none of sigma, lambda, p, moment (got true)',
      expect.stringContaining('loss.eigen.formula: column 21: unknown name "gamma"'),
    ])
  })

  it('needs the same batches as a built-in kind of the same text', () => {
    for (const [kind, { formula: text }] of Object.entries(kindTable)) {
      const parameters = text.includes('k)') ? { k: 2 } : text.includes('epsilon') ? { epsilon: 0.01 } : {}
      const own = formula(text, { parameters, layers: 'all' })
      expect(smallestBatch(own), kind).toBe(smallestBatch({ kind, layers: 'all' }))
    }
  })

  it('is refused where a user wrote it if it is constant, as a built-in kind is', () => {
    expect(mistakes(formula('sum(p) + 1', { name: 'shares' }), 64)).toEqual([
      'loss.eigen: has no effect on latent (width 3), where shares is constant',
    ])
  })

  it('has a name that stands for it in names of arms and in labels', () => {
    const named = formula('-exp(-sum(xlogx(p)))', { name: 'rank' })
    const nameOf = (value: unknown) => valueName({ path: 'loss.eigen', value })
    expect(nameOf(named)).toBe('rank')
    expect(nameOf([named, { kind: 'entropy', weight: 0.1 }])).toBe('rank-kind-entropy-weight-0.1')
    const config = (eigen: object) => configSchema.parse({ name: 'x', loss: { eigen } })
    const labels = (...losses: readonly object[]) => differenceLabels(losses.map(config))
    const other = formula('sum(mean^2)', { name: 'rank' })
    expect(labels({ kind: 'log-max' }, named)[1]).toBe('eigen=formula formula=rank')
    // The name identifies neither of two formulas.
    expect(labels(named, other)).toEqual(['formula=-exp(-sum(xlogx(p)))', 'formula=sum(mean^2)'])
    // Without the name, it is the same formula.
    expect(labels(named, formula('-exp(-sum(xlogx(p)))'), { kind: 'entropy' }).slice(0, 2)).toEqual([
      'eigen=formula formula=rank',
      '',
    ])
    expect(labels({ kind: 'entropy' }, [named, { kind: 'entropy' }])[1]).toBe('eigen=rank+entropy')
  })

  it('without a name has a checksum in names of arms, because its operators are not in them', () => {
    const texts = ['mean(mean * variance)', 'mean(mean / variance)', 'mean(variance)'.repeat(30)]
    const grids: readonly (readonly [string, readonly unknown[]])[] = [
      ['loss.eigen.formula', texts],
      ['loss.eigen', texts.map((text) => formula(text))],
      ['loss.eigen', texts.map((text) => [{ kind: 'entropy' }, formula(text)])],
    ]
    for (const [path, values] of grids) {
      const names = values.map((value) => armName('none', [{ path, value }], null))
      expect(new Set(names).size).toBe(3)
      expect(names).toEqual(names.map(() => expect.stringMatching(/-[0-9a-f]{8}$/)))
      const found = names.map((name) => armParts(name, new Map([[path, values]]))?.grid)
      expect(found).toEqual(values.map((value) => [{ path, value }]))
    }
    // Other values have none.
    expect(valueName({ path: 'data.source', value: '/data/a (b)' })).toBe('data-a-b')
    expect(valueName({ path: 'loss.eigen', value: { kind: 'entropy', weight: 1 } })).toBe(
      'kind-entropy-weight-1',
    )
  })

  it('has a name that is not that of a built-in kind, which losses.csv would show', () => {
    const named = (name: string) => formula('sum(mean^2)', { name })
    expect(mistakes([{ kind: 'top-k' }, named('top-k')], 64)).toEqual([
      'loss.eigen.1.name: must not be the name of a built-in kind (got "top-k")',
    ])
    expect(checkConfig({ name: 'x', loss: { eigen: named('top-k') } }, 'swept').kind).toBe('mistakes')
    expect(mistakes(named('formula'), 64)).toEqual([])
    // A later version may add a kind whose name a run's formula has.
    expect(checkConfig({ name: 'x', loss: { eigen: named('entropy') } }).kind).toBe('config')
  })

  it('has examples in configs/sweeps/formulas.json, which the documentation explains', async () => {
    const sweep = await readSweepFile(join(configs, 'sweeps', 'formulas.json'))
    const docs = await readFile(join(configs, '..', 'docs', 'formulas.md'), 'utf8')
    const arms = sweep.grid.get('loss.eigen') as readonly {
      readonly name: string
      readonly formula: string
    }[]
    expect(arms).toHaveLength(5)
    for (const arm of arms) {
      expect(mistakes(arm, 64), arm.name).toEqual([])
      expect(docs).toContain(`| \`${arm.name}\` | \`${arm.formula}\``)
    }
  })
})
