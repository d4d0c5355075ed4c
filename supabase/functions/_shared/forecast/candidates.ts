import { requireRole } from "../db/sql/forecast.ts";
import { demandPlace, readPlaceHours, readStaffing } from "../db/sql/people.ts";
import { problem } from "../http/problem.ts";
import { rankCandidates } from "../planning/people/rank.ts";
import { formatDay } from "../planning/time/days.ts";
import type { ForecastDeps } from "./deps.ts";
import type { CandidatesInput } from "./schemas.ts";
import { heldOf, stretchOf, wantedOf } from "./staffing.ts";

/** Who could take one place of a demand, best first, and why. */
export async function candidates({ db }: ForecastDeps, user: { id: string }, input: CandidatesInput) {
  const place = await demandPlace(db, input.demand_id);
  // Also without a row: the answer must not tell which demands of strangers exist.
  await requireRole(db, place?.workspace_id ?? null, "viewer", user.id);
  if (place === null) throw problem(404, "not_found", "There is no such demand.");
  const staffing = await readStaffing(db, place.workspace_id, user.id, [place.deal_id]);
  const row = staffing.demands.find(({ id }) => id === input.demand_id);
  const [deal] = staffing.deals;
  if (row === undefined || deal === undefined) throw problem(404, "not_found", "There is no such demand.");
  const stretch = stretchOf(row, deal, staffing);
  const hours =
    stretch === null
      ? new Map()
      : await readPlaceHours(db, row.id, {
          first: formatDay(stretch.start),
          last: formatDay(stretch.end),
          people: staffing.people.map(({ id }) => id),
        });
  const people = staffing.people.map((person) => ({
    id: person.id,
    name: person.name,
    skills: heldOf(person, row),
    freeShare: shareOf(hours.get(person.id)),
  }));
  const names = new Map(people.map(({ id, name }) => [id, name]));
  const ranked = rankCandidates(wantedOf(row), people);
  return {
    demand_id: row.id,
    skill: row.skill,
    level: row.level,
    dated: stretch !== null,
    total: ranked.length,
    candidates: ranked.slice(0, input.limit).map(({ id, match, freeShare: share, score, reasons }) => ({
      employee_id: id,
      name: names.get(id) ?? null,
      score,
      match: { kind: match.kind, score: match.score, skill: match.held.skill, level: match.held.level },
      free_share: Math.round(share * 1000) / 1000,
      reasons,
    })),
  };
}

function shareOf(hours: { asked: number; free: number } | undefined): number {
  return hours === undefined || hours.asked === 0 ? 0 : hours.free / hours.asked;
}
