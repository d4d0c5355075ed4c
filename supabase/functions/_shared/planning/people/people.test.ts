import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { availabilityScore } from "./availability.ts";
import { LEVELS, matchSkill, type SkillHeld } from "./match.ts";
import { rankCandidates } from "./rank.ts";

const held = (skill: string, level: string | null = null, years: number | null = null): SkillHeld => ({
  skill,
  level,
  years,
});
const react = { skill: "react", level: "senior", alternatives: ["vue", "angular"] };

describe("matching skills", () => {
  it.each([
    ["the same", [held("react", "senior")], "exact", 100],
    ["a level above", [held("react", "lead")], "level_up", 95],
    ["a level below", [held("react", "mid")], "level_down", 75],
    ["no level known", [held("react")], "level_down", 75],
    ["the first alternative", [held("vue", "senior")], "alternative", 80],
    ["the second, a level above", [held("angular", "lead")], "alternative", 70],
    [
      "the best of several",
      [held("angular", "senior"), held("react", "mid"), held("vue", "senior")],
      "alternative",
      80,
    ],
  ])("%s", (_, skills, kind, score) => {
    expect(matchSkill(react, skills)).toMatchObject({ kind, score });
  });

  it("two levels below, another skill and nothing at all do not match", () => {
    for (const skills of [[held("react", "junior")], [held("cobol", "senior")], []])
      expect(matchSkill(react, skills)).toBeNull();
  });

  it("who asks for no level takes any; a level outside the ladder matches itself only", () => {
    expect(matchSkill({ ...react, level: null }, [held("react", "junior")])?.score).toBe(100);
    expect(matchSkill({ ...react, level: "wizard" }, [held("react", "wizard")])?.score).toBe(100);
    expect(matchSkill({ ...react, level: "wizard" }, [held("react", "senior")])).toBeNull();
  });

  it("scores lie between 1 and 100, and more skills never make it worse", () => {
    const skill = fc.record({
      skill: fc.constantFrom("react", "vue", "angular", "cobol"),
      level: fc.option(fc.constantFrom(...LEVELS)),
      years: fc.constant(null),
    });
    fc.assert(
      fc.property(fc.array(skill), skill, (skills, one) => {
        const before = matchSkill(react, skills)?.score ?? 0;
        const after = matchSkill(react, [...skills, one])?.score ?? 0;
        expect(after).toBeGreaterThanOrEqual(before);
        expect(after).toBeLessThanOrEqual(100);
      }),
      { seed: 22 },
    );
  });
});

describe("ranking", () => {
  it("weighs the match with the free time, and says why", () => {
    const ranked = rankCandidates(react, [
      { id: "ada", name: "Ada", skills: [held("react", "senior", 6)], freeShare: 0.5 },
      { id: "bob", name: "Bob", skills: [held("react", "mid")], freeShare: 1 },
      { id: "eve", name: "Eve", skills: [held("vue", "senior")], freeShare: 0 },
      { id: "max", name: "Max", skills: [held("cobol", "lead")], freeShare: 1 },
    ]);
    expect(ranked.map(({ id, score }) => [id, score])).toEqual([
      ["bob", 75],
      ["ada", 50],
      ["eve", 0],
    ]);
    expect(ranked[0]?.reasons).toEqual([
      "react mid",
      "1 level below the senior that was asked for",
      "free for all of it",
    ]);
    expect(ranked[1]?.reasons).toEqual(["react senior, 6 years", "free for 50 % of it"]);
    expect(ranked[2]?.reasons).toEqual(["vue senior, in place of react", "not free in that time"]);
  });
});

describe("availability score", () => {
  const line = { demandId: "x", skill: "react", places: 2, critical: false, filled: [100, 100] };

  it("by hand: 2 of 2, 1 of 2, and a critical place that weighs double", () => {
    expect(availabilityScore([line])).toEqual({ score: 100, reasons: [] });
    expect(availabilityScore([{ ...line, filled: [80] }]).score).toBe(40);
    const critical = { ...line, skill: "lead", places: 1, critical: true, filled: [90] };
    // (200 + 2 × 90) ÷ (2 + 2).
    expect(availabilityScore([line, critical]).score).toBe(95);
  });

  it("without its critical person a deal stays below 50, and says so", () => {
    const many = { ...line, places: 10, filled: Array.from({ length: 10 }, () => 100) };
    const { score, reasons } = availabilityScore([
      many,
      { ...line, skill: "lead", places: 1, critical: true, filled: [] },
    ]);
    expect(score).toBe(49);
    expect(reasons).toEqual(["1 of 1 lead cannot be staffed, which is critical."]);
  });

  it("of a deal that asks for nobody is no score", () => {
    expect(availabilityScore([]).score).toBeNull();
    expect(availabilityScore([{ ...line, places: 0, filled: [] }]).score).toBeNull();
  });
});
