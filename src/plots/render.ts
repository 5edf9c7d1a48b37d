import { join } from 'node:path'
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { makeFolder } from '../files/folder.js'
import { signature } from '../files/overwrite-guard.js'
import { writeAtomically } from '../files/write.js'
import { themeOf } from '../pages/theme.js'
import { escapeControls } from '../text/format.js'
import { type Chart, laidOut } from './chart.js'
import { fontFamily, pngOf } from './raster.js'

// Without a browser Vega guesses the width of texts, half as wide again as they are.
const labelLimit = 280

const atOnce = 2

/** Writes each chart as SVG and PNG; gives the names of the files. No browser is needed. */
export async function writeCharts(folder: string, charts: readonly Chart[]): Promise<readonly string[]> {
  await makeFolder(folder)
  // PNGs are made on other threads while the next SVG is; not all at once, for their memory.
  const written: Promise<readonly string[]>[] = []
  for (const chart of charts) {
    const svg = await svgOf(chart)
    await written.at(-atOnce)
    const picture = writePicture(folder, chart.name, svg)
    // Its failure is thrown where it is awaited, not as one that nobody handles.
    picture.catch(() => undefined)
    written.push(picture)
  }
  return (await Promise.all(written)).flat()
}

/** An SVG and the PNG of it. Names of runs may hold characters that XML forbids: they are made visible. */
export async function writePicture(folder: string, name: string, drawn: string): Promise<readonly string[]> {
  const svg = escapeControls(drawn)
  const [svgFile, pngFile] = pictureFiles(name)
  await writeAtomically(join(folder, svgFile), svg.replace('<svg ', `<svg data-generator="${signature}" `))
  await writeAtomically(join(folder, pngFile), await pngOf(svg))
  return [svgFile, pngFile]
}

export function pictureFiles(name: string): readonly [svg: string, png: string] {
  return [`${name}.svg`, `${name}.png`]
}

export async function svgOf(chart: Chart): Promise<string> {
  const config = { ...themeOf('light', fontFamily, labelLimit), aria: false }
  const spec = { ...laidOut(chart), title: chart.title, config } as unknown as TopLevelSpec
  const view = new View(parse(compile(spec).spec), { renderer: 'none' })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}
