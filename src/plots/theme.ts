export const schemes = ['light', 'dark'] as const
export type Scheme = (typeof schemes)[number]

// Okabe and Ito's colours ("Color Universal Design", 2008), distinct for every kind of colour vision: those with enough
// contrast on white, and lighter ones for a dark page.
const inks = {
  light: {
    background: '#ffffff',
    text: '#1b1b1b',
    faint: '#d9d9d9',
    arms: ['#0072b2', '#d55e00', '#009e73', '#b0528c', '#000000', '#b07d00', '#3a93c9'],
    // Below, at and above the middle of a scale.
    diverging: ['#0b3c6f', '#5a9fd0', '#f4f4f2', '#ee9a4d', '#8c3a00'],
    // From the lowest to the highest value of a scale.
    ramp: ['#00224e', '#35456c', '#666970', '#948e77', '#c8b866', '#fee838'],
    // For lines, from hardly visible to strong.
    emphasis: ['#dcdcdc', '#a9c3da', '#4d93c7', '#08306b'],
  },
  dark: {
    background: '#16181c',
    text: '#e8e8e8',
    faint: '#3a3e45',
    arms: ['#56b4e9', '#e69f00', '#2fc99a', '#e29bc4', '#ffffff', '#f0e442', '#ff8a3d'],
    diverging: ['#9fd0ff', '#3f86c4', '#26292f', '#c26a12', '#ffc27a'],
    ramp: ['#00224e', '#35456c', '#666970', '#948e77', '#c8b866', '#fee838'],
    emphasis: ['#33373e', '#4f6a80', '#72aede', '#eaf4ff'],
  },
}

/**
 * Colours of the labels 0 to 9, distinct for every kind of colour vision: Paul Tol's "muted" scheme ("Colour schemes", SRON
 * technical note, 2021) on a light page, and lighter colours of the same hues on a dark page.
 */
const labelColors: Readonly<Record<Scheme, readonly string[]>> = {
  light: [
    ...['#332288', '#2b8cbe', '#44aa99', '#117733', '#8a8a1f'],
    ...['#b8860b', '#cc6677', '#882255', '#aa4499', '#555555'],
  ],
  dark: [
    ...['#9d94ff', '#5ab4e5', '#5fd3bf', '#57b86a', '#d2d25a'],
    ...['#f0b429', '#f08a94', '#e06a9a', '#d98be0', '#b8b8b8'],
  ],
}

// Saturation and lightness of the labels above 9, with enough contrast for text.
const furtherLabels: Readonly<Record<Scheme, string>> = { light: '65%, 33%', dark: '75%, 72%' }

/** Returns the colour of a label. Above 9, the hues are golden angles apart, so that neighbouring labels look different. */
export function labelColor(scheme: Scheme, label: number): string {
  const goldenAngle = 137.508
  const hue = Math.round((label * goldenAngle) % 360)
  return labelColors[scheme][label] ?? `hsl(${hue}, ${furtherLabels[scheme]})`
}

/** Returns the distinct labels, ascending. */
export function distinctLabels(labels: Iterable<number>): readonly number[] {
  return [...new Set(labels)].sort((a, b) => a - b)
}

/** Dashes and shapes distinguish the arms in black and white. */
export const dashes = [
  [1, 0],
  [6, 3],
  [2, 2],
  [9, 3, 2, 3],
  [12, 4],
  [1, 3],
] as const
const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'] as const

/** Returns Vega-Lite's config for all charts. `labelLimit` is the width of the arms' labels beside an axis, in pixels. */
export function themeOf(scheme: Scheme, font: string, labelLimit: number): object {
  const { background, text, faint, arms, diverging, ramp, emphasis } = inks[scheme]
  const label = { labelColor: text, titleColor: text, labelFontSize: 11, titleFontSize: 12 }
  return {
    background,
    font,
    padding: 8,
    view: { stroke: null },
    axis: { ...label, titleFontWeight: 'normal', gridColor: faint, domainColor: text, tickColor: text },
    axisX: { grid: false },
    axisY: { domain: false, ticks: false, labelLimit },
    legend: { ...label, titleFontWeight: 'normal', labelLimit: 400, symbolSize: 80 },
    header: { ...label, titleFontWeight: 'normal', labelFontSize: 12, labelLimit: 300, labelPadding: 4 },
    title: { color: text, subtitleColor: text, anchor: 'start', fontSize: 14, fontWeight: 600 },
    mark: { color: arms[0] },
    range: { category: arms, symbol: shapes, diverging, ramp, emphasis },
    rule: { color: text },
    text: { color: text },
    // Drawn below a text that crosses lines.
    style: { halo: { fill: background, stroke: background, strokeWidth: 3, strokeJoin: 'round' } },
  }
}

/** Returns the colours of the background and the text of a picture. */
export function pictureInks(scheme: Scheme) {
  return inks[scheme]
}

/** @param arm the position in Comparison.arms, whose order is that of readArms */
export function armColor(scheme: Scheme, arm: number): string {
  const { arms } = inks[scheme]
  return arms[arm % arms.length]!
}

/** The stroke-dasharray of an arm's lines. */
export function armDash(arm: number): string {
  return dashes[arm % dashes.length]!.join(' ')
}

// The same shapes as SVG paths around the origin.
const shapePaths = [
  'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0',
  'M-4-4h8v8h-8z',
  'M0-5l5 9h-10z',
  'M0-5.5l4.5 5.5l-4.5 5.5l-4.5-5.5z',
  'M-1.5-5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z',
  'M0 5l5-9h-10z',
] as const

export function armShape(arm: number): string {
  return shapePaths[arm % shapePaths.length]!
}
