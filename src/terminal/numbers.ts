/** Four significant digits without an exponent: .0312 is shown as 0.03120. */
export function significant(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return String(value)
  if (value === 0) return '0'
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))))
  return decimals > 10 ? value.toExponential(digits - 1) : value.toFixed(decimals)
}

/** 97342.6 → "97,343" in every locale; without those of Node, which take 16 ms to load. */
export function thousands(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** Shares as in papers: .3424. */
export function share(value: number): string {
  return value.toFixed(4).replace(/^0/, '')
}
