/** Tokens and money, and their sum. */

/** Tokens and USD; `cost` null: the price is not known; `estimated`: counted by us. */
export interface IUsage {
  input: number;
  output: number;
  cached: number;
  cost: number | null;
  estimated: boolean;
}

export const NOTHING: IUsage = { input: 0, output: 0, cached: 0, cost: null, estimated: false };

/** As Usage.__add__ in codeact_kernel/trace/values.py: a price that is not known counts as none. */
export function sum(one: IUsage, other: IUsage): IUsage {
  const known = [one.cost, other.cost].filter(cost => cost !== null);
  return {
    input: one.input + other.input,
    output: one.output + other.output,
    cached: one.cached + other.cached,
    cost: known.length ? known.reduce((a, b) => a + b) : null,
    estimated: one.estimated || other.estimated
  };
}
