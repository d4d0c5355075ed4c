import { PlanningError } from "../failure.ts";

/** Cents: whole numbers, so that sums are exact and the same in any order, up to 90 trillion. */
export type Cents = number;

export function toCents(amount: number): Cents {
  return Math.round(amount * 100);
}

export function fromCents(cents: Cents): number {
  return Math.round(cents) / 100;
}

/** What one unit of each currency is worth in the reporting currency, which itself needs no entry. */
export interface Exchange {
  currency: string;
  rates: ReadonlyMap<string, number>;
}

/** Money of two currencies is never added up without a rate that somebody gave. */
export function inReportingCurrency(amount: number, currency: string, exchange: Exchange): Cents {
  if (currency === exchange.currency) return toCents(amount);
  const rate = exchange.rates.get(currency);
  if (rate === undefined || !(rate > 0) || !Number.isFinite(rate))
    throw new PlanningError(
      "currency_without_rate",
      `Some deals are in ${currency} and the forecast is in ${exchange.currency}. Give a rate for ${currency}, or forecast ${currency} by itself.`,
      `exchange_rates.${currency}`,
    );
  return toCents(amount * rate);
}
