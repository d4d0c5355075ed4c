import { describe, expect, it } from "vitest";
import { finish } from "../planning/forecast/revenue.ts";
import { demandOf } from "./scenarios.ts";
import { coverWeeks } from "./supply.ts";
import { demandRow } from "./testing.ts";
import { type GroupHours, groupKey } from "./work.ts";

const asked = (hours: number): GroupHours => ({
  hours: Float64Array.of(hours),
  weighted: Float64Array.of(hours),
  critical: Float64Array.of(0),
});
const free = (skills: string[], hours: number, level: string | null = "senior") => ({
  skills: skills.map((skill) => ({ skill, category: "web", level })),
  hours: [[0, hours]] as [number, number][],
});
const cover = (groups: Record<string, number>, supply: ReturnType<typeof free>[], more: object = {}) =>
  finish(
    coverWeeks(new Map(Object.entries(groups).map(([group, hours]) => [group, asked(hours)])), {
      supply,
      demands: [],
      categories: new Set(),
      periods: 1,
      byLevel: false,
      ...more,
    }),
  );

describe("what free people can take on", () => {
  it("counts an hour once, whoever could use it", () => {
    const team = cover({ java: 40, react: 40 }, [free(["react", "java"], 40)]);
    expect(team.covered("java", 0) + team.covered("react", 0)).toBe(40);
    // Each for itself could have all of it.
    expect([team.reach("java", 0), team.reach("react", 0)]).toEqual([40, 40]);
  });

  it("leaves the one who can do both to the skill that nobody else has", () => {
    const team = cover({ java: 40, react: 40 }, [free(["react", "java"], 40), free(["react"], 40)]);
    expect([team.covered("java", 0), team.covered("react", 0)]).toEqual([40, 40]);
  });

  it("lets alternatives help, and any skill of a category that is asked for", () => {
    const demands = [demandOf(demandRow("l", "d", { alternatives: ["vue"] }))];
    expect(cover({ react: 40 }, [free(["vue"], 40)], { demands }).covered("react", 0)).toBe(40);
    expect(cover({ react: 40 }, [free(["vue"], 40)]).covered("react", 0)).toBe(0);
    expect(cover({ web: 40 }, [free(["vue"], 30)], { categories: new Set(["web"]) }).covered("web", 0)).toBe(30);
  });

  it("asks for the level where levels are told apart: one below is a stretch, two are not", () => {
    const group = groupKey("react", "senior", true);
    const at = (level: string) =>
      cover({ [group]: 40 }, [free(["react"], 40, level)], { byLevel: true }).covered(group, 0);
    expect([at("lead"), at("mid"), at("junior")]).toEqual([40, 40, 0]);
  });
});
