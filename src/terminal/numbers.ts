/** Four significant digits without an exponent: .0312 is shown as 0.03120. */
export function significant(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return String(value)
  if (value === 0) return '0'
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))))
  return decimals > 10 ? value.toExponential(digits - 1) : value.toFixed(decimals)
}

/** 97342.6 → "97,343" in every locale. */
export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Shares as in papers: .3424. */
export function share(value: number): string {
  return value.toFixed(4).replace(/^0/, '')
}
