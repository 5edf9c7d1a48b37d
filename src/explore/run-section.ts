import { type Html, html } from '../pages/html.js'
import { isDead } from '../spectrum/spectrum.js'
import { significant } from '../text/format.js'
import type { PageImages } from './images.js'
import type { ExploredRun } from './page.js'
import { type PageRun, reach, stripPictures } from './page-data.js'

// So many sliders stand in their box without scrolling, where there is room.
const inView = 10

/** One run: what its decoder makes, its sliders, its embedding. */
export function runSection(
  run: ExploredRun,
  index: number,
  { side }: PageImages,
  runs: readonly ExploredRun[],
): Html {
  const { data, name } = run
  const largest = Math.max(...runs.flatMap((each) => sharesOf(each.data)))
  return html`<section class="run" data-run="${index}" aria-labelledby="run-${index}">
<h2 id="run-${index}">${name}</h2><p class="quiet facts">${facts(run)}</p>
<div class="decode"><div class="made"><canvas class="picture" width="${side}" height="${side}" role="img" aria-label="${name}: the decoded picture"></canvas>
<p class="quiet"><output class="error"></output></p>
<div class="row"><button type="button" class="back" disabled>Back to the picture</button><button type="button" class="mean">To the mean</button></div></div>
<div class="sliders-box">${data.latent > inView ? html`<p class="quiet">${data.latent} directions: scroll for the others</p>` : ''}<div class="sliders" role="group" aria-label="${name}: principal directions">${data.directions.map(
    (_, direction) => sliderRow(run, index, direction, largest, side),
  )}</div></div></div>
${scatter(run, index)}
</section>`
}

function facts({ run, data, difference }: ExploredRun): string {
  const last = run.metrics.at(-1)
  const dead = data.directions.filter(({ deviation }) =>
    isDead(deviation, data.directions[0]!.deviation),
  ).length
  const latent = run.config.model.widths.at(-1)
  return [
    difference,
    `seed ${run.config.seed}`,
    ...(last === undefined
      ? []
      : [
          `epoch ${last.epoch}`,
          `test MSE ${significant(last.test_mse)}`,
          `effective rank ${last.effective_rank.toFixed(2)}`,
        ]),
    `${dead} of ${latent} sliders dead`,
  ]
    .filter(Boolean)
    .join(' · ')
}

function sliderRow(run: ExploredRun, index: number, direction: number, largest: number, side: number): Html {
  const { directions } = run.data
  const share = sharesOf(run.data)[direction]!
  const dead = isDead(directions[direction]!.deviation, directions[0]!.deviation)
  const [id, percent] = [`slider-${index}-${direction}`, dead ? 'dead' : `${percentText(share)} %`]
  const width = largest === 0 ? 0 : (100 * share) / largest
  return html`<div class="direction${dead ? ' dead' : ''}"><label for="${id}">${direction + 1}</label>
<span class="share"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${width.toFixed(2)}" height="8"/></svg><span>${percent}</span></span>
<input type="range" id="${id}" min="${-reach}" max="${reach}" step="0.05" value="0" aria-label="${run.name}, direction ${direction + 1}, ${percent}">
<output for="${id}"></output><canvas class="strip" width="${stripPictures * (side + 1) - 1}" height="${side}" aria-hidden="true"></canvas></div>`
}

function scatter({ data, name }: ExploredRun, index: number): Html {
  const axis = (word: string, chosen: number) =>
    html`<label>${word} <select class="${word}">${data.directions.map(
      (_, direction) =>
        html`<option value="${direction}"${direction === chosen ? selected : ''}>direction ${direction + 1}</option>`,
    )}</select></label>`
  const flat = data.latent === 1
  return html`<h3>Embedding</h3><div class="row axes">${axis('across', 0)}${
    flat ? html`<span class="quiet">up: the label</span>` : axis('up', 1)
  }</div>
<div class="scatter" role="application" tabindex="0" aria-label="${name}: the embedding, arrow keys go from image to image, Enter chooses" aria-describedby="point-${index}"><canvas class="points" aria-hidden="true"></canvas><canvas class="marks" aria-hidden="true"></canvas></div>
<p class="quiet point" id="point-${index}" aria-live="polite"></p>`
}

const selected = html` selected`

/** σ/Σσ of the embedding about its mean. */
function sharesOf({ directions }: PageRun): readonly number[] {
  const sum = directions.reduce((total, { deviation }) => total + deviation, 0)
  return directions.map(({ deviation }) => (sum === 0 ? 0 : deviation / sum))
}

function percentText(share: number): string {
  return (100 * share).toFixed(share < 0.1 ? 1 : 0)
}
