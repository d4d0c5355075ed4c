/**
 * PostgREST hands the value of a filter to the server as it is written. Lite reads it as JavaScript first: "+4930" becomes
 * the number 4930, "1.50" becomes 1.5, "null" becomes null. What stands in double quotes it leaves alone, so quotes are put
 * around every value before it sees the query. It also forgets all but the last of several filters on one column with
 * the same operator; the others are moved into an `and`.
 */
export function withPlainFilterValues(search: string): string {
  const given = [...new URLSearchParams(search)];
  const rewritten = new URLSearchParams();
  const seen = new Set<string>();
  for (const [key, value] of given) {
    if (NOT_FILTERS.test(key)) rewritten.append(key, value);
    else if (TREES.test(key)) rewritten.append(key, quoteInTree(value));
    else appendFilter(rewritten, seen, key, quoteFilter(value));
  }
  return `?${rewritten}`;
}

const NOT_FILTERS = /^(select|columns|on_conflict|apikey|(.+\.)?(order|limit|offset))$/;
const TREES = /^(.+\.)?(not\.)?(and|or)$/;
const SIMPLE_FILTER = /^((?:not\.)?(?:eq|neq|gt|gte|lt|lte|cs|cd|ov)\.)(.*)$/s;
const LIST_FILTER = /^((?:not\.)?in\.)\((.*)\)$/s;
/** A condition in `and=(…)` or `or=(…)`, up to its value when that is plain: without quotes, braces or parentheses. */
const PLAIN_CONDITION = /(?<=[(,][^(),"{}]*\.(?:eq|neq|gt|gte|lt|lte)\.)([^(),"{}]+)(?=[,)])/g;

function quoteFilter(filter: string): string {
  const [, operator, value] = filter.match(SIMPLE_FILTER) ?? [];
  if (operator !== undefined) return `${operator}"${value}"`;
  const [, listOperator, items] = filter.match(LIST_FILTER) ?? [];
  return listOperator === undefined || items === undefined ? filter : `${listOperator}(${quoteItems(items)})`;
}

function quoteItems(items: string): string {
  return items.replace(/"(?:[^"\\]|\\.)*"|[^,]+/gs, (item) =>
    item.startsWith('"') ? item : `"${item.replace(/[\\"]/g, "\\$&")}"`,
  );
}

function quoteInTree(tree: string): string {
  return tree.replace(PLAIN_CONDITION, '"$1"');
}

function appendFilter(query: URLSearchParams, seen: Set<string>, key: string, filter: string): void {
  const operator = filter.match(/^(not\.)?[^.]*/)?.[0];
  const inAnd = seen.has(`${key} ${operator}`) && fitsInTree(key, filter);
  seen.add(`${key} ${operator}`);
  if (inAnd) query.append("and", `(${key}.${filter})`);
  else query.append(key, filter);
}

/** Lite's reader of trees takes the first quote for the beginning of a value and the next one for its end. */
function fitsInTree(key: string, filter: string): boolean {
  return /^[\w>-]+$/.test(key) && /^[^"()]*("[^"]*")?$/.test(filter);
}
