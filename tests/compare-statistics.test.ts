import { describe, expect, it } from 'vitest'
import {
  centralQuantile,
  correctByHolm,
  meanOf,
  optimismOf,
  pairedTest,
  summarise,
  twoSidedP,
  welchTest,
} from '../src/comparison/statistics.js'
import { fillNormals, purpose } from '../src/model/random.js'

// The expected values were printed by SciPy 1.17 (scipy.stats.t, ttest_ind with equal_var=False, ttest_rel and their
// confidence_interval; t.ppf for the detectable difference) and statsmodels (multipletests, method="holm").
const none = [0.0265, 0.0268, 0.0271, 0.0259, 0.0263]
const eigen = [0.0312, 0.0293, 0.0301, 0.0307, 0.0299]
const batchNorm = [0.0171, 0.018, 0.0176]

const near = (value: number | undefined) => {
  return { to: (expected: number) => expect(value! / expected).toBeCloseTo(1, 12) }
}

describe("Student's t", () => {
  it.each([
    [0, 5, 1],
    [0.1, 1, 0.936548965138893],
    [1.7, 4, 0.16435494127005],
    [2.5, 3.7, 0.07182202291182678],
    [1.8, 9, 0.10539067158640895],
    [12, 9, 7.699886222985653e-7],
    [100, 9.3, 2.031331451666e-15],
    [40, 42.1, 3.9772040674745577e-35],
    [2, 350.7, 0.04627105576259889],
    [1e5, 1, 6.366197723463608e-6],
    [3, 10000, 0.002706448189997666],
  ])('P(|T| ≥ %d) with %d degrees of freedom', (t, df, p) => {
    near(twoSidedP(t, df)).to(p)
    near(twoSidedP(-t, df)).to(p)
  })

  it.each([
    [1, 12.706204736174694],
    [1.2, 8.648826510748867],
    [2.5, 3.5746548420036817],
    [9, 2.262157162798205],
    [99, 1.9842169515864174],
    [1000, 1.9623390808264083],
    [1e5, 1.9599877075346095],
  ])('the middle 95 %% with %d degrees of freedom', (df, t) => near(centralQuantile(0.95, df)).to(t))
})

describe('statistics of a comparison', () => {
  it('mean, standard deviation and interval', () => {
    const { mean, sd, interval } = summarise(none)
    near(mean).to(0.02652)
    near(sd!).to(0.0004604345773288535)
    near(interval?.low).to(0.025948294961802593)
    near(interval?.high).to(0.027091705038197404)
  })

  it("Welch's test of unequal samples", () => {
    const { test, interval, hedgesG, detectable } = welchTest(batchNorm, none)
    near(test?.t).to(-26.97352772745414)
    near(test?.degreesOfFreedom).to(4.420094631426891)
    near(test?.p).to(4.482337319821303e-6)
    near(interval?.low).to(-0.009841383071089671)
    near(interval?.high).to(-0.008065283595576997)
    near(hedgesG!).to(-17.025440546349337)
    near(detectable!).to(0.0011969725594466066)
  })

  it('the paired test', () => {
    const { test, interval, hedgesG, detectable } = pairedTest(eigen, none)
    near(test?.t).to(8.168429476693685)
    expect(test?.degreesOfFreedom).toBe(4)
    near(test?.p).to(0.0012229368943611275)
    near(interval?.low).to(0.0024555738553163854)
    near(interval?.high).to(0.004984426144683614)
    near(hedgesG!).to(5.48685702383432)
    near(detectable!).to(0.0016929526120176652)
  })

  it("Holm's correction", () => {
    const corrected = correctByHolm([0.01, 0.04, 0.03, 0.005, 0.9])
    for (const [index, p] of [0.04, 0.09, 0.09, 0.025, 0.9].entries()) near(corrected[index]).to(p)
    expect(correctByHolm([])).toEqual([])
  })

  it('gives null where a single value is not enough', () => {
    expect(summarise([0.5])).toEqual({ n: 1, mean: 0.5, sd: null, interval: null })
    const alone = { difference: -0.25, interval: null, test: null, detectable: null, hedgesG: null }
    expect(welchTest([0.25], [0.5])).toEqual(alone)
    expect(welchTest([0.25], [0.5, 0.5])).toEqual(alone)
    expect(pairedTest([0.25], [0.5])).toEqual(alone)
  })

  it('does not test values that do not vary', () => {
    const same = { difference: 3, interval: null, test: null, detectable: null, hedgesG: null }
    expect(welchTest([3, 3, 3], [0, 0, 0])).toEqual(same)
    expect(pairedTest([3, 3, 3], [0, 0, 0])).toEqual(same)
    expect(summarise([0.1, 0.1, 0.1])).toEqual({ n: 3, mean: 0.1, sd: 0, interval: { low: 0.1, high: 0.1 } })
    expect(pairedTest([1.1, 2.1, 3.1], [1, 2, 3]).test).toBeNull()
    expect(pairedTest([0.8412, 0.8371, 0.8405], [0.8302, 0.8261, 0.8295]).test).toBeNull()
  })
})

describe('the optimism of a choice', () => {
  const sorted = (samples: readonly (readonly number[])[]) =>
    samples.toSorted((a, b) => meanOf(a) - meanOf(b))

  /** The same estimate over all resamples of three seeds, each as often as the other. */
  function exactOptimism(samples: readonly (readonly number[])[]): number {
    const seeds = [0, 1, 2]
    const draws = seeds.flatMap((a) => seeds.flatMap((b) => seeds.map((c) => [a, b, c])))
    const differences = draws
      .map((drawn) => ({ drawn, out: seeds.filter((seed) => !drawn.includes(seed)) }))
      .filter(({ out }) => out.length > 0)
      .map(({ drawn, out }) => {
        const meanAt = (places: readonly number[], values: readonly number[]) =>
          meanOf(places.map((place) => values[place]!))
        const [chosen] = samples.toSorted((a, b) => meanAt(drawn, a) - meanAt(drawn, b))
        return meanAt(out, chosen!) - meanAt(out, samples[0]!)
      })
    return meanOf(differences)
  }

  it('is that of all resamples of three seeds, but for the number of draws', () => {
    const samples = sorted([
      [1, 5, 3.5],
      [4.3, 2, 3.4],
      [3, 3.6, 3.2],
    ])
    expect(exactOptimism(samples)).toBeGreaterThan(0.5)
    expect(Math.abs(optimismOf(samples, 'lower') - exactOptimism(samples))).toBeLessThan(0.1)
    const negative = samples.map((values) => values.map((value) => -value))
    expect(optimismOf(negative, 'higher')).toBe(optimismOf(samples, 'lower'))
  })

  it('is 0 if one arm is the best on each seed', () => {
    const samples = [
      [1, 2, 1.5],
      [2, 3, 1.6],
    ]
    expect(optimismOf(samples, 'lower')).toBe(0)
  })

  it('makes up for the choice among arms that do not differ', () => {
    const normals = new Float64Array(5 * 20 * 40)
    fillNormals(normals, [1, purpose.bootstrap], [0, 1])
    const experiments = Array.from({ length: 40 }, (_, experiment) =>
      sorted(
        Array.from({ length: 20 }, (_, arm) => {
          const start = 5 * (20 * experiment + arm)
          return [...normals.subarray(start, start + 5)]
        }),
      ),
    )
    const apparent = meanOf(experiments.map((arms) => meanOf(arms[0]!)))
    const corrected = meanOf(experiments.map((arms) => meanOf(arms[0]!) + optimismOf(arms, 'lower')))
    // The true mean of all arms is 0. The best of 20 means of five seeds is 0.83 below it on average.
    expect(apparent).toBeLessThan(-0.7)
    expect(Math.abs(corrected)).toBeLessThan(0.2)
  })
})
