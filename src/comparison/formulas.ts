import { eigenLossesOf, formulaOf } from '../eigen-losses/index.js'
import type { Formula } from '../formulas/parse.js'
import type { Comparison } from './comparison.js'

/** Arms that a line names. */
const mostNamed = 4

/** Returns a line for each formula of the arms' eigen losses: "eigen: sum(first(sigma, k)) / sum(sigma), k = 2". */
export function formulaLines({ arms }: Pick<Comparison, 'arms'>): readonly string[] {
  const labels = new Map<string, Set<string>>()
  for (const { label, config } of arms) {
    for (const eigenLoss of eigenLossesOf(config.loss.eigen)) {
      const text = formulaText(formulaOf(eigenLoss))
      labels.set(text, (labels.get(text) ?? new Set()).add(label))
    }
  }
  return [...labels].map(([text, arms]) => `${listing([...arms])}: ${text}`)
}

function formulaText({ text, parameters, center }: Formula): string {
  const values = Object.entries(parameters).map(([name, value]) => `${name} = ${value}`)
  return [text, ...values, ...(center ? ['centred'] : [])].join(', ')
}

function listing(labels: readonly string[]): string {
  const named = labels.slice(0, mostNamed).join(', ')
  return labels.length > mostNamed ? `${named} and ${labels.length - mostNamed} more` : named
}
