import type { SweepSetting } from './plan.js'

/** The folder of an arm: `eigen,train.batchSize=64`. */
export function groupName(variant: string, settings: readonly SweepSetting[]): string {
  return [variant, ...settings.map(({ path, value }) => `${path}=${valueName(value)}`)].join(',')
}

/**
 * A value as a part of a folder's name: numbers and words as they are, lists and objects without what shells and file
 * systems stumble over ([784,128,2] → 784-128-2).
 */
function valueName(value: unknown): string {
  if (typeof value === 'number') return String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.replace(/[^A-Za-z0-9._+-]+/g, '-').replace(/^-+|-+$/g, '')
}

/** What no file system takes, in bytes. */
export const longestName = 255
