import { evenly } from './thinning.js'

const blocks = '▁▂▃▄▅▆▇█'

/** Small bars, one a value, from the range's lowest to its highest; at most `width` of them, evenly taken. */
export function sparkline(values: readonly number[], range: readonly [number, number], width = 10): string {
  return evenly(values, width)
    .map((value) => blockOf(value, range))
    .join('')
}

function blockOf(value: number, [lowest, highest]: readonly [number, number]): string {
  if (!Number.isFinite(value)) return ' '
  const part = highest > lowest ? (value - lowest) / (highest - lowest) : 0
  return blocks[Math.max(0, Math.min(blocks.length - 1, Math.round(part * (blocks.length - 1))))]!
}
