import type { InputDeal, InputDemand } from "../db/sql/forecast.ts";
import { requireRole } from "../db/sql/forecast.ts";
import { type KeptAvailability, keepAvailability, readStaffing, type Staffing } from "../db/sql/people.ts";
import { assignPlaces } from "../planning/assign/assign.ts";
import { canHold, type Option, type Person, type Place } from "../planning/assign/places.ts";
import { availabilityScore, type StaffedLine } from "../planning/people/availability.ts";
import { matchSkill, type SkillMatch } from "../planning/people/match.ts";
import type { ForecastDeps } from "./deps.ts";
import { takeTurn } from "./limits.ts";
import type { AvailabilityInput } from "./schemas.ts";
import { fullWeeksOf, heldOf, type Stretch, steadyShare, stretchOf, wantedOf } from "./staffing.ts";

/** How well deals could be staffed, each by itself with everybody who is free now. */

/** Beyond it a deal is a programme, and its assignment no matter of one call. */
const MOST_PLACES = 60;
/** Relaxations of one deal: enough to prove nearly all, and a fraction of a second for the others. */
const MAX_NODES = 200;

export async function availability(deps: ForecastDeps, user: { id: string }, input: AvailabilityInput) {
  await requireRole(deps.db, input.workspace_id, "viewer", user.id);
  await takeTurn(deps, input.workspace_id);
  const ids = [...new Set(input.pipeline_project_ids)].sort();
  const staffing = await readStaffing(deps.db, input.workspace_id, user.id, ids);
  const rows: KeptAvailability[] = [];
  for (const deal of staffing.deals) {
    rows.push(scoreDeal(deal, staffing));
    await deps.breathe();
  }
  await keepAvailability(deps.db, input.workspace_id, rows, staffing.read_at);
  return rows.map(({ start_date: _, duration: __, ...row }) => row);
}

interface Line {
  row: InputDemand;
  stretch: Stretch;
  /** Promised already. */
  staffed: number;
  places: number;
}

export function scoreDeal(deal: InputDeal, staffing: Staffing): KeptAvailability {
  const rows = staffing.demands.filter(({ deal_id }) => deal_id === deal.id);
  const lines = rows.flatMap((row): Line[] => {
    const stretch = stretchOf(row, deal, staffing);
    if (stretch === null) return [];
    const staffed = Math.min(row.count, row.staffed.length);
    return [{ row, stretch, staffed, places: row.count - staffed }];
  });
  const about = { pipeline_project_id: deal.id, start_date: deal.start_date, duration: deal.duration };
  const places = lines.reduce((sum, line) => sum + line.places, 0);
  if (places > MOST_PLACES) {
    const reasons = [`It asks for ${places} people; a score is worked out for ${MOST_PLACES} at most.`];
    return { ...about, score: null, reasons, lines: [], proven: false };
  }
  const found = staff(lines, staffing);
  const undated = rows.length - lines.length;
  const { score, reasons } = availabilityScore(found.lines.map(({ scored }) => scored));
  const passed = undated === 0 ? [] : [`${undated} of ${rows.length} demands have no start, or are over: not counted.`];
  return {
    ...about,
    score,
    reasons: [...reasons, ...passed],
    lines: found.lines.map(({ shown }) => shown),
    proven: found.proven,
  };
}

interface StaffedLines {
  lines: { scored: StaffedLine; shown: object }[];
  proven: boolean;
}

/** All lines of a deal at once, so that nobody takes two places that do not go together. */
function staff(lines: readonly Line[], staffing: Staffing): StaffedLines {
  const slices = slicesOf(lines.map(({ stretch }) => stretch));
  const weeks = fullWeeksOf(staffing);
  const people = staffing.people.map(
    (person): Person => ({ id: person.id, free: slices.map((slice) => steadyShare(person, slice, weeks)) }),
  );
  const placed = lines.flatMap((line) => Array.from({ length: line.places }, () => line));
  const places = placed.map(({ row, stretch }, index): Place => {
    const load = slices.map(({ start }) => (start >= stretch.start && start <= stretch.end ? row.percentage / 100 : 0));
    return { id: `${row.id}:${index}`, critical: row.critical, load };
  });
  const matches = new Map(lines.map((line) => [line, matchesOf(line, staffing)]));
  const options = placed.flatMap((line, place) =>
    bestOf(matches.get(line) ?? [], people, places[place] as Place, placed.length).map(
      ({ person, match }): Option => ({ place, person, score: match.score }),
    ),
  );
  const { byPlace, proven } = assignPlaces(places, people, options, MAX_NODES);
  return {
    proven,
    lines: lines.map((line) => {
      const taken = placed.flatMap((other, place) => {
        const person = byPlace[place];
        const match = matches.get(line)?.find((one) => one.person === person)?.match;
        return other !== line || person == null || match === undefined ? [] : [{ person, match }];
      });
      return lineAnswer(line, taken, staffing);
    }),
  };
}

function lineAnswer(
  { row, staffed }: Line,
  taken: readonly { person: number; match: SkillMatch }[],
  { people }: Staffing,
): StaffedLines["lines"][number] {
  const promised = Array.from({ length: staffed }, () => 100);
  const filled = [...promised, ...taken.map(({ match }) => match.score)];
  return {
    scored: { demandId: row.id, skill: row.skill, places: row.count, critical: row.critical, filled },
    shown: {
      demand_id: row.id,
      skill: row.skill,
      places: row.count,
      promised: staffed,
      filled: filled.length,
      people: taken.map(({ person, match }) => ({
        employee_id: people[person]?.id,
        name: people[person]?.name,
        score: match.score,
        kind: match.kind,
      })),
    },
  };
}

interface Able {
  person: number;
  match: SkillMatch;
}

function matchesOf({ row }: Line, { people }: Staffing): Able[] {
  return people
    .flatMap((person, index): Able[] => {
      const match = matchSkill(wantedOf(row), heldOf(person, row));
      return match === null ? [] : [{ person: index, match }];
    })
    .sort((a, b) => b.match.score - a.match.score || a.person - b.person);
}

/**
 * The best of those who could hold the place alone. Of n places the others need n - 1 people at most, so one of the n
 * best is left for this one in every case: who comes after them changes nothing.
 */
function bestOf(able: readonly Able[], people: readonly Person[], place: Place, count: number): Able[] {
  return able.filter(({ person }) => canHold(people[person] as Person, [place])).slice(0, count);
}

/** Between two neighbouring starts or ends nothing changes. */
function slicesOf(stretches: readonly Stretch[]): Stretch[] {
  const cuts = [...new Set(stretches.flatMap(({ start, end }) => [start, end + 1]))].sort((a, b) => a - b);
  return cuts.slice(1).map((next, index) => ({ start: cuts[index] as number, end: next - 1 }));
}
