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

/** 83 s → "1:23", 7384 s → "2:03:04". */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const parts = hours > 0 ? [hours, String(minutes).padStart(2, '0')] : [minutes]
  return [...parts, String(whole % 60).padStart(2, '0')].join(':')
}
