/** What this project calls of cephes: its package.json hides the package's own types from Node's resolution. */
declare module 'cephes' {
  /** Settles once the functions can be called. */
  export const compiled: Promise<void>
  /** The regularised incomplete beta function I_x(a, b). */
  export function incbet(a: number, b: number, x: number): number
  /** The x at which I_x(a, b) is y. */
  export function incbi(a: number, b: number, y: number): number
}
