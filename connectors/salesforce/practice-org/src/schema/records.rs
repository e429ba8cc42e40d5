//! The fields of groups, roles, jobs, dashboards, approvals and business records; same notation as `tables`.

pub(super) const GROUP: &str = "
Name string:40 FGSUC
DeveloperName string:80 FGSNUC
RelatedId reference FGSN -> UserRole -
Type picklist:40 FGSC
Email email:255 FGSNUC
OwnerId reference FGSN -> Organization|User -
DoesSendEmailToMembers boolean FGSUC
DoesIncludeBosses boolean FGSUC
CreatedDate datetime FS
LastModifiedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const GROUP_MEMBER: &str = "
GroupId reference FGSC -> Group Group
UserOrGroupId reference FGSC -> Group|User UserOrGroup
SystemModstamp datetime FS
";

pub(super) const QUEUE_SOBJECT: &str = "
QueueId reference FGSC -> Group Queue
SobjectType picklist:40 FGSC
CreatedById reference FGS -> User CreatedBy
SystemModstamp datetime FS
";

pub(super) const USER_ROLE: &str = "
Name string:80 FGSUC
DeveloperName string:80 FGSNUC
ParentRoleId reference FGSNUC -> UserRole -
RollupDescription string:80 FGSNUC
PortalType picklist:40 FGSN
LastModifiedDate datetime FS
LastModifiedById reference FGS -> User -
SystemModstamp datetime FS
";

pub(super) const CRON_TRIGGER: &str = "
CronJobDetailId reference FGSN -> CronJobDetail CronJobDetail
NextFireTime datetime FSN
PreviousFireTime datetime FSN
State picklist:16 FGS
StartTime datetime FSN
EndTime datetime FSN
CronExpression string:255 FGS
TimeZoneSidKey picklist:40 FGS
OwnerId reference FGSN -> User -
TimesTriggered int FGSN
CreatedDate datetime FS
CreatedById reference FGSN -> User CreatedBy
LastModifiedById reference FGSN -> User LastModifiedBy
";

pub(super) const CRON_JOB_DETAIL: &str = "
Name string:255 FGS
JobType string:255 FGS
";

pub(super) const DASHBOARD: &str = "
Title string:80 FGS
DeveloperName string:80 FGS
FolderName string:256 GSN
Type picklist:40 FGSN
RunningUserId reference FGS -> User RunningUser
IsDeleted boolean FGS
CreatedDate datetime FS
CreatedById reference FGS -> User CreatedBy
LastModifiedDate datetime FS
LastModifiedById reference FGS -> User LastModifiedBy
SystemModstamp datetime FS
";

pub(super) const PROCESS_INSTANCE: &str = "
TargetObjectId reference FGS -> Account|Case|Opportunity -
Status picklist:40 FGS
SubmittedById reference FGSN -> User SubmittedBy
CreatedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const PROCESS_INSTANCE_WORKITEM: &str = "
ProcessInstanceId reference FGS -> ProcessInstance ProcessInstance
OriginalActorId reference FGS -> Group|User OriginalActor
ActorId reference FGSU -> Group|User Actor
ElapsedTimeInDays double FGSN
IsDeleted boolean FGS
CreatedDate datetime FS
CreatedById reference FGS -> User CreatedBy
SystemModstamp datetime FS
";

/// On every business record.
pub(super) const AUDIT: &str = "
IsDeleted boolean FGS
CreatedDate datetime FS
CreatedById reference FGS -> User CreatedBy
LastModifiedDate datetime FS
LastModifiedById reference FGS -> User LastModifiedBy
SystemModstamp datetime FS
";

pub(super) const ACCOUNT: &str = "
Name string:255 FGSUC
Type picklist:255 FGSNUC
Industry picklist:255 FGSNUC
BillingCountry string:80 FGSNUC
Website url:255 FGSNUC
OwnerId reference FGSUC -> User Owner
IsPartner boolean FGSU if communities
IsCustomerPortal boolean FGS if communities
";

pub(super) const CONTACT: &str = "
AccountId reference FGSNUC -> Account Account
LastName string:80 FGSUC
FirstName string:40 FGSNUC
Name string:121 FGS
Email email:80 FGSNUC
OwnerId reference FGSUC -> User Owner
";

pub(super) const OPPORTUNITY: &str = "
AccountId reference FGSNUC -> Account Account
Name string:120 FGSUC
StageName picklist:255 FGSUC
Amount currency FGSNUC
CloseDate date FGSUC
IsClosed boolean FGS
IsWon boolean FGS
OwnerId reference FGSUC -> User Owner
";

pub(super) const CASE: &str = "
CaseNumber string:30 FGS
AccountId reference FGSNUC -> Account Account
Subject string:255 FGSNUC
Status picklist:255 FGSNUC
Priority picklist:255 FGSNUC
Origin picklist:255 FGSNUC
IsClosed boolean FGS
OwnerId reference FGSUC -> Group|User Owner
";

pub(super) const LEAD: &str = "
LastName string:80 FGSUC
FirstName string:40 FGSNUC
Name string:121 FGS
Company string:255 FGSUC
Email email:80 FGSNUC
Status picklist:255 FGSUC
IsConverted boolean FGS
OwnerId reference FGSUC -> Group|User Owner
";

pub(super) const TASK: &str = "
WhatId reference FGSNUC -> Account|Case|Opportunity What
Subject combobox:255 FGSNUC
ActivityDate date FGSNUC
Status picklist:255 FGSUC
Priority picklist:255 FGSUC
IsClosed boolean FGS
OwnerId reference FGSUC -> Group|User Owner
";
