import { eigenLossesOf, formulaOf } from '../eigen-losses/index.js'
import type { Formula } from '../formulas/parse.js'
import type { Comparison } from './comparison.js'

/** Names that a line lists. */
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

/** Returns the first names, and how many more there are. */
export function listing(names: readonly string[]): string {
  const named = names.slice(0, mostNamed).join(', ')
  return names.length > mostNamed ? `${named} and ${names.length - mostNamed} more` : named
}
