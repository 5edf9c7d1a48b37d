import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { pageMark } from '../files/overwrite-guard.js'
import { packageRoot } from '../package-root.js'
import {
  dataScript,
  type Html,
  html,
  inertScript,
  inlineScript,
  jsonScript,
  unescaped,
} from '../pages/html.js'
import { distinctLabels } from '../pages/theme.js'
import { version } from '../runs/facts.js'
import type { ChosenRun } from './chosen-runs.js'
import type { PageImages } from './images.js'
import type { PageData } from './page-data.js'
import type { RunData } from './run-data.js'
import { runSection } from './run-section.js'
import { exploreStyle } from './style.js'

/** Named as such in the head of every page. */
const generator = 'eigenae explore'

/** How an earlier page is recognised. */
export const explorePageMark = pageMark(generator)

export type ExploredRun = ChosenRun & RunData

/** The page: one file that needs no other and no network, and runs no script but its own. */
export async function explorePage(runs: readonly ExploredRun[], images: PageImages): Promise<string> {
  const labels = distinctLabels(images.labels)
  const style = exploreStyle(runs.length, labels)
  const script = inertScript(await readFile(join(packageRoot, 'dist/explore/page/main.js'), 'utf8'))
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; img-src data:`
  const title = `Latent space: ${runs.map(({ name }) => name).join(' and ')}`
  const data = pageData(runs, images)
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${generator}"><meta http-equiv="Content-Security-Policy" content="${policy}"><link rel="icon" href="data:,">
<title>${title}</title><style>${unescaped(style)}</style></head><body>
<h1>${title}</h1>
<p class="lead">An autoencoder squeezes a noisy picture into a few numbers, the embedding, and makes a clean picture of them.
Choose a picture, add noise, and move the numbers${
    runs.length > 1 ? ': the same picture goes through both networks.' : '.'
  }</p>
<noscript><p>This page computes in the browser: it needs JavaScript.</p></noscript><p id="trouble" role="alert" hidden></p>
${inputSection(data, labels, runs.length)}
<div class="runs">${runs.map((run, index) => runSection(run, index, images, runs))}</div>
<h2>How to read it</h2>${explanation()}
<p class="quiet">${images.labels.length} test images of ${images.source}. Made by eigenae ${version}.</p>
<div id="preview" hidden><canvas width="${images.side}" height="${images.side}"></canvas><span></span></div>
${jsonScript('explore-data', data)}
${await packed('explore-floats', bytesOf(runs.flatMap(({ floats }) => floats)))}
${await packed('explore-pixels', images.pixels)}
${inlineScript(script)}
</body></html>
`
  return page.text
}

function pageData(runs: readonly ExploredRun[], { labels, side }: PageImages): PageData {
  const initial = Math.max(...runs.map(({ run }) => run.config.data.noise))
  const maximum = Math.max(1, Math.ceil(2 * initial))
  return {
    side,
    labels: [...labels],
    noise: { initial, maximum, step: 0.01 },
    runs: runs.map(({ data }) => data),
  }
}

function inputSection({ side, noise }: PageData, labels: readonly number[], runs: number): Html {
  const picture = (name: string, label: string) =>
    html`<figure><canvas id="${name}" width="${side}" height="${side}" role="img" aria-label="${label}"></canvas><figcaption>${label}</figcaption></figure>`
  return html`<section class="input" aria-label="the picture that goes in">
<div class="pictures">${picture('clean', 'picture')}${picture('noisy', 'with noise')}</div>
<div class="controls"><div class="labels" role="group" aria-label="choose a picture by its label">${labels.map(
    (label) =>
      html`<button type="button" data-label="${label}" title="the next ${label}"><canvas width="${side}" height="${side}" aria-hidden="true"></canvas><span>${label}</span></button>`,
  )}</div>
<div class="row"><button type="button" id="previous" aria-label="previous picture">‹</button><span id="image" aria-live="polite"></span><button type="button" id="next" aria-label="next picture">›</button></div>
<div class="row"><label for="noise">noise</label><input type="range" id="noise" min="0" max="${noise.maximum}" step="${noise.step}" value="${noise.initial}"><output id="noise-value" for="noise"></output></div>
${runs > 1 ? html`<div class="row"><label><input type="checkbox" id="together" checked> move the same slider in both networks</label></div>` : ''}
</div></section>`
}

function explanation(): Html {
  return html`<ul><li>The sliders are the embedding's principal directions, from −3 to +3 standard deviations about its mean, ordered
by their share of the spectrum, σ/Σσ: the bar beside each. They start where the encoder puts the noisy picture.</li>
<li>The small pictures under a slider are what the decoder makes on the way from one end to the other. Where all are alike,
the direction carries nothing. <em>Dead</em> is a direction with under a thousandth of the first one's deviation: no picture
lies elsewhere along it. (The spectrum in a run's folder is not centred: what all pictures share counts there as a direction.)</li>
<li>In the plot each number is the label of a test image without noise. The ring is the chosen one, the cross where the sliders are.
Click one to choose it; with the keyboard, arrows go to the next one and Enter chooses it.</li>
<li>MSE is between the picture made and the one chosen, without noise. “Moved by” is how far a pixel is from the
reconstruction (root mean square): 0 where a slider does nothing.</li>
<li>The noise is the one that evaluations add to that image, made stronger or weaker.</li></ul>`
}

/** Bytes in an element that the page's script unpacks. */
async function packed(id: string, bytes: Uint8Array): Promise<Html> {
  const text = (await promisify(gzip)(bytes, { level: 9 })).toString('base64')
  return dataScript(id, text)
}

function bytesOf(arrays: readonly Float32Array[]): Uint8Array {
  return Buffer.concat(
    arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  )
}

function hashOf(content: string): string {
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`
}
