-- The columns and values that the product documents list exist, under the names the design chose.

\ir ../fixtures/people.psql

select no_plan();

select has_column('public'::name, t::name, c::name, format('%s has %s', t, c))
from (values
  ('crm_companies', '{id,workspace_id,name,slug,industry,company_size,website,billing_address,shipping_address,annual_revenue,employee_count,company_status,owner_id,tags,custom_fields,created_at,updated_at,deleted_at}'::text[]),
  ('crm_contacts', '{id,workspace_id,company_id,first_name,last_name,name,email,phone,mobile,title,department,company_name,contact_status,lifecycle,lead_source,lead_score,rating,description,owner_id,social_profiles,preferences,tags,custom_fields,created_at,updated_at,deleted_at}'),
  ('crm_deals', '{id,workspace_id,company_id,primary_contact_id,opportunity_id,name,amount,currency,stage,probability,expected_close_date,actual_close_date,close_date,deal_source,lost_reason,next_steps,owner_id,tags,custom_fields,created_at,updated_at,deleted_at}'),
  ('crm_opportunities', '{id,workspace_id,contact_id,name,value,currency,probability,stage,expected_close_date,description,created_at,updated_at}'),
  ('crm_campaigns', '{id,workspace_id,name,description,campaign_type,status,start_date,end_date,budget,actual_cost,owner_id,target_audience,goals,metrics,tags,custom_fields,created_at,updated_at,deleted_at}'),
  ('crm_projects', '{id,workspace_id,company_id,deal_id,name,description,project_status,priority,start_date,due_date,completion_date,estimated_hours,actual_hours,owner_id,project_manager_id,tags,custom_fields,created_at,updated_at,deleted_at}'),
  ('crm_tasks', '{id,workspace_id,title,description,related_to_type,related_to_id,task_type,status,priority,due_date,completed,completed_at,assigned_to_id,created_by_id,tags,custom_fields,created_at,updated_at,deleted_at}'),
  ('crm_activities', '{id,workspace_id,activity_type,entity_type,entity_id,description,user_id,metadata,created_at}'),
  ('crm_notes', '{id,workspace_id,content,related_to_type,related_to_id,created_by_id,is_pinned,created_at,updated_at,deleted_at}'),
  ('crm_campaign_contacts', '{id,campaign_id,contact_id,status,sent_at,opened_at,clicked_at,created_at,updated_at}'),
  ('pipeline_projects', '{id,crm_id,crm_source,name,description,client_name,client_contact,stage_key,priority,probability,estimated_value,estimated_start_date,estimated_duration,required_skills,risk_factors,competitor_info,notes,tags,sync_status}'),
  ('pipeline_resource_demands', '{id,pipeline_project_id,skill_category,experience_level,required_count,allocation_percentage,start_date,end_date,hourly_rate,is_critical,alternatives}')
) d (t, columns), unnest(columns) c;

select pg_temp.sign_up('ada');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');
insert into crm_companies (workspace_id, name) select id, 'C' from w;
insert into crm_contacts (workspace_id, first_name) select id, 'P' from w;
insert into pipeline_projects (workspace_id, name) select id, 'D' from w;
insert into crm_campaigns (workspace_id, name) select id, 'K' from w;
insert into crm_projects (workspace_id, name) select id, 'J' from w;
insert into crm_tasks (workspace_id, title) select id, 'T' from w;
insert into crm_campaign_contacts (workspace_id, campaign_id, contact_id) select w.id, k.id, p.id from w join crm_campaigns k on k.workspace_id = w.id join crm_contacts p on p.workspace_id = w.id;

select lives_ok(format('update public.%I set %I = %L where workspace_id = %L', t, c, v, (select id from w)), format('%s.%s can be %s', t, c, v))
from (values
  ('crm_companies', 'company_size', '{startup,small,medium,enterprise}'::text[]), ('crm_companies', 'company_status', '{lead,prospect,customer,churned}'),
  ('crm_contacts', 'contact_status', '{active,inactive,bounced}'), ('crm_contacts', 'lifecycle', '{lead,prospect,customer,closed,Lead,Prospect,Customer,Closed}'), ('crm_contacts', 'rating', '{0,5}'),
  ('pipeline_projects', 'stage_key', '{lead,prospect,opportunity,proposal,negotiation,won,lost,on-hold,prospecting,qualification,closed_won,closed_lost,Prospect,Qualification,Closed-Won,Closed-Lost}'),
  ('pipeline_projects', 'priority', '{low,medium,high,critical}'), ('pipeline_projects', 'sync_status', '{synced,pending,failed,conflict}'),
  ('crm_deals', 'stage', '{prospecting,qualification,proposal,negotiation,closed_won,closed_lost}'), ('crm_opportunities', 'stage', '{Prospect,Qualification,Proposal,Negotiation,Closed-Won,Closed-Lost}'),
  ('crm_campaigns', 'campaign_type', '{email,social,webinar,event,content,other}'), ('crm_campaigns', 'status', '{planning,active,paused,completed,cancelled}'),
  ('crm_projects', 'project_status', '{planning,in_progress,on_hold,completed,cancelled}'), ('crm_projects', 'priority', '{low,medium,high,urgent}'),
  ('crm_tasks', 'task_type', '{call,email,meeting,todo,follow_up,demo,Call,Email,Meeting,Task,Note}'), ('crm_tasks', 'status', '{pending,in_progress,completed,cancelled}'),
  ('crm_tasks', 'priority', '{low,medium,high,urgent,Low,Normal,High,Urgent}'),
  ('crm_campaign_contacts', 'status', '{sent,delivered,opened,clicked,bounced,unsubscribed}')
) d (t, c, vals), unnest(vals) v;

select throws_ok($$ insert into crm_campaigns (workspace_id, name, start_date, end_date) select id, 'X', '2026-02-01', '2026-01-01' from w $$, '23514', null, 'a campaign does not end before it starts');
select throws_ok($$ insert into crm_campaign_contacts (workspace_id, campaign_id, contact_id) select workspace_id, campaign_id, contact_id from crm_campaign_contacts where workspace_id = (select id from w) $$, '23505', null, 'a campaign holds a contact once');

select * from finish();
rollback;
