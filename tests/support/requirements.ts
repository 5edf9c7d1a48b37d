import { existsSync } from 'node:fs'
import { describe, it } from 'vitest'

/**
 * Returns whether the tests of something are to be skipped: `missing` is the reason, or null if nothing is missing. Prints
 * the reason, because vitest does not; throws it where CI is set.
 */
export function skipsWithout(missing: string | null): boolean {
  if (missing === null) return false
  if (process.env.CI) throw new Error(missing)
  console.warn(`skipped: ${missing}`)
  return true
}

/** Describes tests that are skipped if something is missing, as `skipsWithout` does. */
export function describeUnless(missing: string | null, name: string, tests: () => void): void {
  if (skipsWithout(missing)) describe.skip(`${name}: ${missing}`, () => it('runs', () => {}))
  else describe(name, tests)
}

/** Debian's Chromium, or the one that CHROMIUM names. */
export const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium'
export const noChromium = existsSync(chromiumPath)
  ? null
  : `no Chromium at ${chromiumPath} (Debian: apt-get install chromium; or set CHROMIUM)`
