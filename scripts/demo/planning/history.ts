import postgres from "postgres";

/**
 * A sync sees each deal as it stands. The Maven data also say when a deal was engaged, which the mock Salesforce hands on as
 * a field: here it becomes the stage history that a workspace in use would have. No client may write one, so this goes to the
 * database itself.
 */
export async function writeHistory(dbUrl: string, workspaceId: string): Promise<void> {
  const sql = postgres(dbUrl, { max: 1, onnotice: () => {} });
  try {
    await sql.begin(async (transaction) => {
      await transaction`
        with deals as (
          select p.id, (p.custom_fields ->> 'engage_date')::date as engaged, p.actual_close_date as closed
          from public.pipeline_projects p
          where p.workspace_id = ${workspaceId} and p.custom_fields ->> 'engage_date' is not null
        ),
        moved as (
          update public.pipeline_stage_history h
          set changed_at = coalesce(d.closed, d.engaged) + time '12:00', from_stage = case when d.closed is not null then 'opportunity' end
          from deals d
          where h.workspace_id = ${workspaceId} and h.pipeline_project_id = d.id
        )
        insert into public.pipeline_stage_history (workspace_id, pipeline_project_id, to_stage, changed_at)
        select ${workspaceId}, d.id, 'opportunity', d.engaged + time '09:00'
        from deals d
        where d.closed is not null`;
      await transaction`
        update public.pipeline_projects p
           set entered_stage_at = (select max(h.changed_at) from public.pipeline_stage_history h where h.workspace_id = p.workspace_id and h.pipeline_project_id = p.id)
         where p.workspace_id = ${workspaceId} and p.custom_fields ->> 'engage_date' is not null`;
    });
  } finally {
    await sql.end();
  }
}
