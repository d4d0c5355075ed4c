import { describe, expect, it } from "vitest";
import { salesforce } from "../support.ts";

type Contact = {
  Id: string;
  AccountId: string;
  IsDeleted: boolean;
  MasterRecordId: string | null;
  SystemModstamp: string;
};
const SELECT = "SELECT Id, AccountId, IsDeleted, MasterRecordId, SystemModstamp FROM Contact";

describe("Salesforce changes", () => {
  it("bumps SystemModstamp to the whole second of the provider's clock", async () => {
    const { mock, connection } = await salesforce({ knobs: { clockFixed: "2026-05-01T10:20:30.987Z" } });
    const [row] = mock.control.list("Contact", 0, 1) as Contact[];
    mock.control.records([{ action: "edit", type: "Contact", id: row?.Id ?? "", fields: { Title: "New" } }]);
    const { records } = await connection.query<Contact>(`${SELECT} WHERE SystemModstamp >= 2026-05-01T00:00:00Z`);
    expect(records.map((record) => [record.Id, record.SystemModstamp])).toEqual([
      [row?.Id, "2026-05-01T10:20:30.000+0000"],
    ]);
  });

  it("hides deleted rows from query, shows them to queryAll, and brings them back", async () => {
    const { mock, connection } = await salesforce();
    const [row] = mock.control.list("Contact", 0, 1) as Contact[];
    const id = row?.Id ?? "";
    await connection.sobject("Contact").destroy(id);
    const where = `${SELECT} WHERE Id = '${id}'`;
    expect((await connection.query(where)).totalSize).toBe(0);
    const all = await connection.query<Contact>(where, { scanAll: true });
    expect(all.records[0]).toMatchObject({ IsDeleted: true, MasterRecordId: null });
    mock.control.records([{ action: "undelete", type: "Contact", id }]);
    expect((await connection.query(where)).totalSize).toBe(1);
  });

  it("takes an account's contacts and opportunities along to the recycle bin and back", async () => {
    const { mock, connection } = await salesforce({ records: 40 });
    const [account] = mock.control.list("Account", 0, 1) as Contact[];
    const id = account?.Id ?? "";
    const count = async (object: string) =>
      (await connection.query(`SELECT COUNT() FROM ${object} WHERE AccountId = '${id}'`)).totalSize;
    const before = [await count("Contact"), await count("Opportunity")];
    expect(before).toEqual([10, 2]);
    mock.control.records([{ action: "delete", type: "Account", id }]);
    expect([await count("Contact"), await count("Opportunity")]).toEqual([0, 0]);
    mock.control.records([{ action: "undelete", type: "Account", id }]);
    expect([await count("Contact"), await count("Opportunity")]).toEqual(before);
  });

  it("merges: the loser names its master, children follow, the winner changes", async () => {
    const { mock, connection } = await salesforce({ records: 40 });
    const [winner, loser] = mock.control.list("Account", 0, 2) as Contact[];
    const moved = (await connection.query(`SELECT COUNT() FROM Contact WHERE AccountId = '${loser?.Id}'`)).totalSize;
    mock.control.records([{ action: "merge", type: "Account", winner: winner?.Id ?? "", losers: [loser?.Id ?? ""] }]);
    const { records } = await connection.query<Contact>(
      `SELECT Id, MasterRecordId FROM Account WHERE IsDeleted = true AND SystemModstamp >= ${new Date(Date.now() - 60_000).toISOString()}`,
      { scanAll: true },
    );
    expect(records).toMatchObject([{ Id: loser?.Id, MasterRecordId: winner?.Id }]);
    expect((await connection.query(`SELECT COUNT() FROM Contact WHERE AccountId = '${winner?.Id}'`)).totalSize).toBe(
      10 + moved,
    );
  });

  it("lists what was updated and deleted in a window, and refuses one too far back", async () => {
    const { mock, connection } = await salesforce({ knobs: { clockFixed: "2026-05-10T12:30:00Z" } });
    const [edited, deleted] = mock.control.list("Contact", 0, 2) as Contact[];
    mock.control.records([
      { action: "edit", type: "Contact", id: edited?.Id ?? "", fields: { Title: "New" } },
      { action: "delete", type: "Contact", id: deleted?.Id ?? "" },
    ]);
    const [start, end] = ["2026-05-10T12:00:00Z", "2026-05-10T13:00:00Z"];
    const contacts = connection.sobject("Contact");
    expect((await contacts.updated(start, end)).ids).toEqual([edited?.Id]);
    const gone = await contacts.deleted(start, end);
    expect(gone.deletedRecords).toEqual([{ id: deleted?.Id, deletedDate: "2026-05-10T12:30:00.000+0000" }]);
    await expect(contacts.deleted("2026-04-01T00:00:00Z", end)).rejects.toThrow(/within the last 15 days/);
  });
});
