/**
 * Makes assets/font.json from the font of a package: the subset that SVGs embed, and widths of characters for the
 * layout. A part of npm run generate.
 *
 * This is not done when pictures are drawn, because HarfBuzz is WebAssembly. V8 reserves 10 GB of addresses for its memory,
 * which is more than many login nodes of clusters allow (ulimit -v). The bytes are the same on every machine.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Face, Font, Blob as FontBlob } from 'harfbuzzjs'
import subsetFont from 'subset-font'

const files = {
  400: '@expo-google-fonts/source-sans-3/400Regular/SourceSans3_400Regular.ttf',
  600: '@expo-google-fonts/source-sans-3/600SemiBold/SourceSans3_600SemiBold.ttf',
}

// First and last code points. SVGs embed those of them that the font has.
const embedded = [
  [0x20, 0x7e], // ASCII
  [0xa0, 0xff], // Latin-1
  [0x391, 0x3c9], // Greek
  [0x2010, 0x203a], // dashes, quotation marks, …
  [0x2070, 0x209c], // superscripts and subscripts
  [0x2190, 0x2199], // arrows
  [0x2200, 0x2265], // operators of mathematics
  [0x25a0, 0x25cf], // markers
]

// Names of runs may be in other alphabets: PNGs draw them from the package's font, SVGs in another sans-serif font.
const onlyMeasured = [
  [0x100, 0x24f], // Latin
  [0x370, 0x4ff], // Greek and Cyrillic
  [0x1e00, 0x1eff], // Latin
]

const options = {
  targetFormat: 'woff2',
  preserveNameIds: [13], // the licence; the copyright is kept anyway
  keepFeatures: [],
  noLayoutClosure: true,
  noHinting: true,
  dropTables: ['BASE', 'gasp', 'GDEF', 'GPOS', 'GSUB', 'STAT'],
}

/** Returns assets/font.json: for each weight, the WOFF2 in base64, and runs of widths by their first code points. */
export async function fontData() {
  const weights = await Promise.all(Object.keys(files).map(dataOf))
  return `{\n"license": "Source Sans 3, © 2023 Adobe, SIL Open Font License 1.1",\n${weights.join(',\n')}\n}\n`
}

async function dataOf(weight) {
  const bytes = readFileSync(fileURLToPath(import.meta.resolve(files[weight])))
  const face = new Face(new FontBlob(new Uint8Array(bytes)), 0)
  if (face.upem !== 1000) throw new Error(`${files[weight]}: has ${face.upem} units per em`)
  const font = new Font(face)
  const codePoints = [...face.collectUnicodes()].sort((a, b) => a - b)
  const text = String.fromCodePoint(...codePoints.filter((each) => isIn(embedded, each)))
  const woff2 = await subsetFont(bytes, text, options)
  const widths = runsOf(codePoints.filter((each) => isIn([...embedded, ...onlyMeasured], each)))
    .map((run) => `"${run[0]}": [${run.map((each) => font.glyphHAdvance(font.nominalGlyph(each)))}]`)
    .join(',\n')
  return `"${weight}": {\n"woff2": "${woff2.toString('base64')}",\n"widths": {\n${widths}\n}\n}`
}

function isIn(ranges, codePoint) {
  return ranges.some(([first, last]) => codePoint >= first && codePoint <= last)
}

/** Divides ascending numbers into runs of adjacent ones. */
function runsOf(numbers) {
  const runs = []
  for (const each of numbers) {
    if (runs.at(-1)?.at(-1) === each - 1) runs.at(-1).push(each)
    else runs.push([each])
  }
  return runs
}
