import type { Page } from 'playwright-core'

/** The numbers that the page offers on the console. */
export interface Shown {
  readonly input: readonly number[]
  readonly runs: readonly { readonly embedding: readonly number[]; readonly picture: readonly number[] }[]
}

export async function shown(page: Page): Promise<Shown> {
  return (await page.evaluate(`({
    input: [...eigenae.input],
    runs: eigenae.runs.map(({ embedding, picture }) => ({ embedding: [...embedding], picture: [...picture] })),
  })`)) as Shown
}

/** Returns whether the pictures at the two ends of a slider's strip differ. */
export function stripChanges(page: Page, run: number, direction: number): Promise<unknown> {
  return page.evaluate(`(() => {
    const strip = document.querySelectorAll('[data-run="${run}"] .strip')[${direction}]
    const picture = (i) => strip.getContext('2d').getImageData(29 * i, 0, 28, 28).data
    const [first, last] = [picture(0), picture(6)]
    return last[3] === 255 && first.some((value, i) => Math.abs(value - last[i]) > 1)
  })()`)
}

/** Returns the position of the last pixel of the plot's lowest digit, in the window. */
export async function lowestPoint(
  page: Page,
  run: number,
): Promise<{ readonly x: number; readonly y: number }> {
  const plot = page.locator(`[data-run="${run}"] .points`)
  await plot.scrollIntoViewIfNeeded()
  const { x, y } = (await plot.boundingBox())!
  const [column, row] = (await page.evaluate(`(() => {
    const canvas = document.querySelector('[data-run="${run}"] .points')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    const inked = data.findLastIndex((value, i) => i % 4 === 3 && value > 200) >> 2
    return [inked % canvas.width, Math.floor(inked / canvas.width)]
  })()`)) as [number, number]
  return { x: x + column, y: y + row }
}

/** Reads a picture, drawn dark on white, back from its canvas as values of 0 to 1. */
export async function drawn(page: Page, canvas: string): Promise<readonly number[]> {
  const bytes = (await page.evaluate(
    `[...document.querySelector('${canvas}').getContext('2d').getImageData(0, 0, 28, 28).data]`,
  )) as readonly number[]
  return bytes.filter((_, i) => i % 4 === 0).map((value) => 1 - value / 255)
}
