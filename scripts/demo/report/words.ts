const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (value: number) => whole.format(value);

export function money(value: number, currency: string): string {
  return currency === "USD" ? `$${whole.format(value)}` : `${whole.format(value)} ${currency}`;
}

const SIZES = [
  { size: 1e9, unit: "B" },
  { size: 1e6, unit: "M" },
  { size: 1e3, unit: "k" },
];

/** Three digits: 1.24M, 318k, 12. */
export function shortMoney(value: number, currency: string): string {
  const { size, unit } = SIZES.find(({ size }) => Math.abs(value) >= size) ?? { size: 1, unit: "" };
  const digits = Math.abs(value) / size < 10 && size > 1 ? 2 : Math.abs(value) / size < 100 && size > 1 ? 1 : 0;
  const text = `${(value / size).toFixed(digits)}${unit}`;
  return currency === "USD" ? `$${text}` : `${text} ${currency}`;
}

/** 2026-11 becomes Nov 2026. */
export function monthName(period: string): string {
  return `${MONTHS[Number(period.slice(5, 7)) - 1] ?? "?"} ${period.slice(0, 4)}`;
}

/** 2026-11-23 becomes 23 Nov. */
export function dayName(day: string): string {
  return `${Number(day.slice(8, 10))} ${MONTHS[Number(day.slice(5, 7)) - 1] ?? "?"}`;
}

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (sign) => ESCAPES[sign] ?? sign);
