/** How the page of `eigenae explore` is made: runs → test images → networks and embeddings → one HTML file. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { readArms } from '../../comparison/arms.js'
import { armLabels, differenceLabels } from '../../comparison/labels.js'
import { unusableText } from '../../comparison/warnings.js'
import type { DataSet } from '../../data/load.js'
import { EigenaeError, usageError } from '../../errors.js'
import { exportedNetwork } from '../../exports/models/network.js'
import { makeFolder } from '../../files/folder.js'
import { pageMark, refuseForeignFiles } from '../../files/own-files.js'
import { writeDurably } from '../../files/write.js'
import { type ImageShape, latentDimension } from '../../model/architecture.js'
import { layoutOf } from '../../model/layout.js'
import { packageRoot } from '../../package-root.js'
import { distinctLabels, labelColor, type Scheme } from '../../plots/theme.js'
import { version } from '../../runs/facts.js'
import type { WholeRun } from '../../runs/read.js'
import { principalDirections } from '../../spectrum/principal-directions.js'
import { isDead } from '../../spectrum/spectrum.js'
import { eigenaeCommand } from '../../text/command-line.js'
import { significant, thousands } from '../../text/format.js'
import {
  modelNote,
  onOneCore,
  readTrainedState,
  requireOwnVersion,
  withTrainer,
} from '../../training/trained-model.js'
import { loadDataFor, sourceOfRun } from '../../training/training-data.js'
import {
  armVariables,
  baseStyle,
  documentOf,
  Html,
  html,
  inertScript,
  inlineScript,
  jsonScript,
} from '../html.js'
import { type PageData, type PageRun, reach, stripCell, stripPictures } from './explore-format.js'

/** The generator in the head of every page, by which an earlier one is recognised. */
const generator = 'eigenae explore'

interface PageImages {
  /** The name or folder of their data set. */
  readonly source: string
  readonly shape: ImageShape
  /** [count][height][width], 0 to 255. */
  readonly pixels: Uint8Array
  readonly labels: Uint8Array
}

/** A run with its part of the page's data. */
interface ExploredRun {
  readonly run: WholeRun
  /** A short name, unique within the page. */
  readonly name: string
  /** The settings that distinguish it from the other run; "" if there are none or no other run. */
  readonly difference: string
  readonly data: PageRun
  /** Its numbers in the order that explore-format.ts defines. */
  readonly floats: readonly Float32Array[]
}

interface ExploreOptions {
  readonly out: string
  /** The largest number of test images in the page. */
  readonly images: number
  /** A data set's name or folder; undefined for the runs' own. */
  readonly data: string | undefined
}

/** Writes the page that shows the latent space of one run, or of two side by side. */
export async function exploreRuns(folders: readonly string[], options: ExploreOptions) {
  const { out } = options
  refuseForeignFiles([{ file: out, mark: pageMark(generator) }], 'Name another file with --out.')
  const chosen = await chooseRuns(folders)
  const images = await pageImages(
    chosen.map(({ run }) => run),
    options,
  )
  const runs = []
  for (const each of chosen) runs.push({ ...each, ...(await runData(each.run, images)) })
  const page = await explorePage(runs, images)
  await makeFolder(dirname(out))
  await writeDurably(out, page)
  return {
    file: out,
    bytes: Buffer.byteLength(page),
    /** The folders of the runs whose models are in the page. */
    runs: chosen.map(({ run }) => run.folder),
    images: images.labels.length,
    /** Notes on models that are not final and on damaged runs. */
    notes: runs.flatMap(({ note, notes }) => [...(note === null ? [] : [note]), ...notes]),
  }
}

/** Returns the one or two runs that the arguments name. A folder of runs stands for its first completed run. */
async function chooseRuns(folders: readonly string[]) {
  const { arms } = await readArms(folders, undefined)
  if (arms.length > 2) {
    const named =
      folders.length === arms.length ? folders.join(' ') : `${folders.join(' ')} with its subfolders`
    throw usageError({
      problem: `${named}: ${arms.length} runs, but a page shows one, or two side by side`,
      details: arms.slice(0, 10).map(({ name }) => name),
      hint: `Name one or two of them; ${eigenaeCommand('compare')} takes any number.`,
    })
  }
  const runs = arms.map(({ runs, leftOut, unusable }) => {
    const first = runs[0] ?? leftOut[0]
    if (first === undefined) throw unusable[0]!.error
    requireOwnVersion(first)
    return first
  })
  const names = armLabels(arms)
  const differences = differenceLabels(runs.map(({ config }) => config))
  return runs.map((run, index) => ({
    run,
    name: names[index]!,
    /** Notes on damaged runs of the same arm. */
    notes: arms[index]!.unusable.map((each) => unusableText(each, arms[index]!.name)),
    difference: runs.length === 1 ? '' : differences[index]!,
  }))
}

/**
 * Returns the first test images of the given data set or, if none is given, of the one that the runs were trained on.
 * @throws a usage error if the runs were trained on different data.
 */
async function pageImages(runs: readonly WholeRun[], options: ExploreOptions): Promise<PageImages> {
  const sources = options.data === undefined ? [...new Set(runs.map(sourceOfRun))] : [options.data]
  if (sources.length > 1) {
    throw usageError({
      problem: `the runs were trained on different data: ${sources.join(' and ')}`,
      hint: 'Choose the test images of the page with --data mnist or --data FOLDER.',
    })
  }
  let data: DataSet | undefined
  for (const run of runs) data = await loadDataFor(run, options.data)
  const { images, labels } = data!.test
  const shown = Math.min(options.images, images.count)
  return {
    source: options.data ?? runs[0]!.config.data.source,
    shape: images.shape,
    pixels: images.pixels.subarray(0, shown * images.pixelsPerImage),
    labels: labels.subarray(0, shown),
  }
}

const mostDimensions = 64

// 128 MB of float32. A browser still opens such a page, and its text is far below JavaScript's limit for strings.
const mostParameters = 2 ** 25

/** @throws a usage error if the run has no model, or if its model is too large for a page. */
async function runData(run: WholeRun, { pixels }: PageImages) {
  const { folder, config } = run
  const latent = latentDimension(config.model)
  const { parameterCount } = layoutOf(config.model)
  const refuse = (problem: string, hint?: string) => usageError({ problem, subject: folder, hint })
  if (latent > mostDimensions)
    throw refuse(`its embedding has ${latent} dimensions, but a page has at most ${mostDimensions} sliders`)
  if (parameterCount > mostParameters)
    throw refuse(
      `its network has ${thousands(parameterCount)} parameters, but a page holds at most ${thousands(mostParameters)}`,
    )
  const trained = readTrainedState(run)
  if (trained === null)
    throw refuse('has no trained model yet', `Train it first: ${eigenaeCommand('train … --resume')}.`)
  const embedding = await withTrainer(config, trained.state, onOneCore, (trainer) => trainer.encode(pixels))
  if (!embedding.every(Number.isFinite))
    throw new EigenaeError({
      problem: 'its embedding holds values that are not finite: the training diverged',
      subject: folder,
      hint: 'Train it again with a smaller learning rate.',
    })
  const { layers } = exportedNetwork(config.model, trained.state, {
    part: 'autoencoder',
    keepBatchNorm: false,
  })
  const { mean, directions, coordinates } = principalDirections(embedding, latent)
  return {
    data: {
      layers: layers.map(({ inputs, outputs, activation, slope }) => ({
        inputs,
        outputs,
        activation,
        slope,
      })),
      encoderLayers: layers.length / 2,
      latent,
      mean,
      directions,
    },
    floats: [...layers.flatMap(({ weight, bias }) => [weight, bias]), Float32Array.from(coordinates)],
    note: modelNote({ run, ...trained }),
  }
}

/** Returns the page, a single file that needs no other file and no network and runs only its own script. */
async function explorePage(runs: readonly ExploredRun[], images: PageImages): Promise<string> {
  const labels = distinctLabels(images.labels)
  const style = exploreStyle(runs.length, labels, images.shape)
  const script = inertScript(await readFile(join(packageRoot, 'dist/pages/browser/explore.js'), 'utf8'))
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; img-src data:`
  const title = `Latent space: ${runs.map(({ name }) => name).join(' and ')}`
  const initial = Math.max(...runs.map(({ run }) => run.config.data.noise))
  const data: PageData = {
    shape: images.shape,
    labels: [...images.labels],
    noise: { initial, maximum: Math.max(1, Math.ceil(2 * initial)), step: 0.01 },
    runs: runs.map((run) => run.data),
  }
  const largest = Math.max(...runs.flatMap(directionsOf).map(({ share }) => share))
  const size = sizeOf(images.shape)
  const body = html`<h1>${title}</h1>
<p class="lead">An autoencoder compresses a noisy picture into a few numbers, the embedding, and decodes them into a clean picture.
Choose a picture, add noise, and move along the directions of the embedding.${
    runs.length > 1 ? ' Both networks get the same picture.' : ''
  }</p>
<noscript><p>This page computes in the browser, so it needs JavaScript.</p></noscript><p id="trouble" role="alert" hidden></p>
${inputSection(data, labels, runs.length)}
<div class="runs">${runs.map((run, index) => runSection(run, images.shape, index, largest))}</div>
<h2>How to read it</h2>${explanation()}
<p class="quiet">${images.labels.length} test images of ${images.source}. Made by eigenae ${version}.</p>
<div id="preview" hidden><canvas ${size}></canvas><span></span></div>
${jsonScript('explore-data', data)}
${await packedScript('explore-floats', bytesOf(runs.flatMap(({ floats }) => floats)))}
${await packedScript('explore-pixels', images.pixels)}
${inlineScript(script)}`
  return documentOf(title, { generator, policy, style, body })
}

/** Returns the attributes of a canvas of one picture. */
function sizeOf({ width, height }: ImageShape): Html {
  return html`width="${width}" height="${height}"`
}

function inputSection({ shape, noise }: PageData, labels: readonly number[], runs: number): Html {
  const size = sizeOf(shape)
  const picture = (name: string, label: string) =>
    html`<figure><canvas id="${name}" ${size} role="img" aria-label="${label}"></canvas><figcaption>${label}</figcaption></figure>`
  return html`<section class="input" aria-label="Input picture">
<div class="pictures">${picture('clean', 'picture')}${picture('noisy', 'with noise')}</div>
<div class="controls"><div class="labels" role="group" aria-label="Choose a picture by its label">${labels.map(
    (label) =>
      html`<button type="button" data-label="${label}" title="next picture with label ${label}"><canvas ${size} aria-hidden="true"></canvas><span>${label}</span></button>`,
  )}</div>
<div class="row"><button type="button" id="previous" aria-label="previous picture">‹</button><span id="image" aria-live="polite"></span><button type="button" id="next" aria-label="next picture">›</button></div>
<div class="row"><label for="noise">noise</label><input type="range" id="noise" min="0" max="${noise.maximum}" step="${noise.step}" value="${noise.initial}"><output id="noise-value" for="noise"></output></div>
${runs > 1 ? html`<div class="row"><label><input type="checkbox" id="together" checked> move the sliders of both networks together</label></div>` : ''}
</div></section>`
}

// The number of sliders that fit into their box without scrolling.
const inView = 10

/** Returns the section of one run: the decoded picture, the sliders and the embedding. */
function runSection(run: ExploredRun, shape: ImageShape, index: number, largest: number): Html {
  const { data, name, difference } = run
  const directions = directionsOf(run)
  const last = run.run.metrics.at(-1)
  const facts = [
    ...(difference === '' ? [] : [difference]),
    `seed ${run.run.config.seed}`,
    ...(last === undefined
      ? []
      : [
          `epoch ${last.epoch}`,
          `test MSE ${significant(last.test_mse)}`,
          `effective rank ${last.effective_rank.toFixed(2)}`,
        ]),
    `${directions.filter(({ dead }) => dead).length} of ${data.latent} directions dead`,
  ]
  return html`<section class="run" data-run="${index}" aria-labelledby="run-${index}">
<h2 id="run-${index}">${name}</h2><p class="quiet facts">${facts.join(' · ')}</p>
<div class="decode"><div class="made"><canvas class="picture" ${sizeOf(shape)} role="img" aria-label="${name}: decoded picture"></canvas>
<p class="quiet"><output class="error"></output></p>
<div class="row"><button type="button" class="reset" disabled>Reset the sliders</button><button type="button" class="mean">Move to the mean</button></div></div>
<div class="sliders-box">${data.latent > inView ? html`<p class="quiet">${data.latent} directions; scroll to see all</p>` : ''}<div class="sliders" role="group" aria-label="${name}: principal directions">${directions.map(
    ({ share, dead }, direction) => {
      const percent = dead ? 'dead' : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`
      const width = largest === 0 ? 0 : (100 * share) / largest
      const id = `slider-${index}-${direction}`
      return html`<div class="direction${dead ? ' dead' : ''}"><label for="${id}">${direction + 1}</label>
<span class="share"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${width.toFixed(2)}" height="8"/></svg><span>${percent}</span></span>
<input type="range" id="${id}" min="${-reach}" max="${reach}" step="0.05" value="0" aria-label="${name}, direction ${direction + 1}, ${percent}">
<output for="${id}"></output><canvas class="strip" width="${stripPictures * (stripCell(shape) + 1) - 1}" height="${shape.height}" aria-hidden="true"></canvas></div>`
    },
  )}</div></div></div>
${scatter(run, index)}
</section>`
}

function scatter({ data, name }: ExploredRun, index: number): Html {
  const axis = (name: 'across' | 'up', title: string, chosen: number) =>
    html`<label>${title} <select class="${name}">${data.directions.map(
      (_, direction) =>
        html`<option value="${direction}"${direction === chosen ? html` selected` : ''}>direction ${direction + 1}</option>`,
    )}</select></label>`
  const flat = data.latent === 1
  return html`<h3>Embedding</h3><div class="row axes">${axis('across', 'horizontal', 0)}${
    flat ? html`<span class="quiet">vertical: label</span>` : axis('up', 'vertical', 1)
  }</div>
<div class="scatter" role="application" tabindex="0" aria-label="${name}: embedding. Arrow keys move from image to image, Enter chooses one" aria-describedby="point-${index}"><canvas class="points" aria-hidden="true"></canvas><canvas class="marks" aria-hidden="true"></canvas></div>
<p class="quiet point" id="point-${index}" aria-live="polite"></p>`
}

/** Returns σ/Σσ of the centred embedding along each direction, and whether the direction is dead. */
function directionsOf({ data: { directions } }: ExploredRun) {
  const sum = directions.reduce((total, { deviation }) => total + deviation, 0)
  return directions.map(({ deviation }) => ({
    share: sum === 0 ? 0 : deviation / sum,
    dead: isDead(deviation, directions[0]!.deviation),
  }))
}

function explanation(): Html {
  return html`<ul><li>The sliders move along the embedding's principal directions, from −3 to +3 standard deviations around its mean. They are
ordered by their share of the spectrum, σ/Σσ, which the bar beside each slider shows. They start at the embedding of the noisy picture.</li>
<li>The small pictures under a slider show the decoder's output from one end of the slider to the other. If they all look the
same, the direction carries no information. A direction is <em>dead</em> if its standard deviation is less than a thousandth of the first
direction's: the embeddings of all pictures lie at the same position along it. (The spectrum in a run's folder is not centred, so the mean of
the embedding counts there as well.)</li>
<li>In the plot, each number is the label of a test image without noise. The ring marks the chosen image, the cross the position of the
sliders. Click an image to choose it, or use the arrow keys and Enter.</li>
<li>The MSE compares the decoded picture with the chosen picture without noise. “Moved by” is the root mean square difference of a
pixel from the reconstruction; it stays 0 if a slider has no effect.</li>
<li>Each image gets the same noise as in evaluations, scaled to the chosen standard deviation.</li></ul>`
}

/** Returns an element with gzipped bytes for the page's script. Its type keeps browsers from running it. */
async function packedScript(id: string, bytes: Uint8Array): Promise<Html> {
  const text = (await promisify(gzip)(bytes, { level: 9 })).toString('base64')
  return new Html(`<script type="application/octet-stream" id="${id}">${text}</script>`)
}

function bytesOf(arrays: readonly Float32Array[]): Uint8Array {
  return Buffer.concat(
    arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  )
}

function hashOf(content: string): string {
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`
}

/** Returns the page's style: two columns if they fit, otherwise one. The longer side of a picture is that of a square. */
function exploreStyle(runs: number, labels: readonly number[], { width, height }: ImageShape): string {
  const part = width / Math.max(width, height)
  return `${baseStyle((scheme) => `${armVariables(scheme, runs)} ${labelVariables(scheme, labels)}`)}
body { max-width: ${runs > 1 ? '78rem' : '64rem'} } h2 { margin-top: 2rem } figure { margin: 0 } canvas { display: block; image-rendering: pixelated }
.lead { max-width: 58rem } .quiet { margin: .25rem 0 } [hidden] { display: none !important } #trouble { border-left: 4px solid #d55e00; padding: .5rem 1rem; background: var(--soft) }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .7rem; min-height: 2rem }
button, select { font: inherit; font-size: .875rem; padding: .2rem .7rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--soft); color: inherit; cursor: pointer } button:disabled { opacity: .45; cursor: default }
:focus-visible { outline: 3px solid var(--arm-0); outline-offset: 2px } input[type=range] { accent-color: var(--arm); height: 1.25rem; margin: 0; cursor: pointer } output { font-variant-numeric: tabular-nums }
.input { --arm: var(--arm-0); display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: flex-start; margin: 1.25rem 0 0 } .pictures { display: flex; gap: .75rem } .pictures canvas { width: ${8.75 * part}rem; border: 1px solid var(--line) }
.controls { flex: 1 1 21rem; min-width: 0 } .controls .row label { min-width: 3rem } #noise { flex: 1; max-width: 20rem; min-width: 8rem } #image { min-width: 9.5rem; text-align: center; font-variant-numeric: tabular-nums }
.labels { display: flex; flex-wrap: wrap; gap: .35rem; margin-bottom: .4rem } .labels button { padding: 2px 2px 0; border-radius: .35rem; line-height: 1.3; font-weight: 600 } .labels canvas { width: ${28 * part}px } .labels button[aria-pressed=true] { border-color: var(--text); box-shadow: 0 0 0 1px var(--text) }
${labels.map((label) => `.labels [data-label="${label}"] { color: var(--label-${label}) }`).join(' ')}
.runs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 29rem), 1fr)); gap: 0 2rem } .run { min-width: 0 } .run h2 { border-top: 4px solid var(--arm); padding-top: .5rem; margin-bottom: 0 } .facts { min-height: 1.4em }
${Array.from({ length: runs }, (_, run) => `[data-run="${run}"] { --arm: var(--arm-${run}) }`).join(' ')}
.decode { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; margin-top: .75rem } .made { flex: 1 1 9rem; max-width: 14rem } .made .picture { width: ${100 * part}%; border: 1px solid var(--line) } .made .row { margin-top: .4rem } .error { display: block; min-height: 3em; white-space: pre-line; line-height: 1.4 }
.sliders-box { flex: 2 1 18rem; max-width: 26rem } .sliders { max-height: 42rem; overflow-y: auto; padding: 3px }
.direction { display: grid; grid-template-columns: 1.4rem 4.2rem minmax(0, 1fr) 2.9rem; column-gap: .4rem; align-items: center; margin-bottom: .45rem; font-size: .875rem } .direction label, .direction output { text-align: right; font-variant-numeric: tabular-nums } .direction label { font-weight: 600 }
.direction input { width: calc(100% * 6 / 7 + 16px); margin-left: calc(100% / 14 - 8px) } .strip { grid-column: 3; width: 100%; max-width: 100% } .direction input:focus-visible { position: relative; z-index: 1; outline-offset: 0; border-radius: .3rem } .dead { color: var(--faint) } .dead label { font-weight: 400 }
.direction output, .direction span { white-space: nowrap } .share { grid-row: span 2; align-self: start; padding-top: .4rem; display: block; line-height: 1.3 } .share svg { display: block; width: 100%; height: .5rem; background: var(--soft) } .share rect { fill: var(--arm) }
.axes { margin: .25rem 0 .5rem; font-size: .875rem } .scatter { position: relative; aspect-ratio: 4 / 3; max-height: 70vh; width: 100%; border: 1px solid var(--line); cursor: crosshair; touch-action: pan-y } .scatter canvas { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: auto } .point { min-height: 1.5em }
#preview { position: fixed; z-index: 2; pointer-events: none; padding: 3px; background: var(--page); border: 1px solid var(--line); border-radius: .3rem; font-size: .8rem; line-height: 1.3; text-align: center; font-weight: 600 } #preview canvas { width: ${56 * part}px; margin: 0 auto }
li { max-width: 50rem; margin-bottom: .3rem }
@media (max-width: 30rem) { .labels { gap: .15rem } .labels button { padding: 1px 1px 0 } .pictures canvas { width: ${7 * part}rem } .decode { display: block } .made { display: grid; grid-template-columns: 9rem 1fr; gap: 0 .8rem; max-width: none; margin-bottom: .75rem } .made .picture { grid-row: span 2 } .made .row { align-content: flex-start } .sliders-box { max-width: none } .sliders { max-height: 46rem } .direction { grid-template-columns: 1.2rem 3rem minmax(0, 1fr) 2.7rem } button, select { min-height: 2rem } }
`
}

function labelVariables(scheme: Scheme, labels: readonly number[]): string {
  return labels.map((label) => `--label-${label}: ${labelColor(scheme, label)};`).join(' ')
}
