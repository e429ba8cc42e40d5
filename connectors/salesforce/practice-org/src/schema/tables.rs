//! The fields of the objects of people, seats and rights, one line each, in the notation of the Object Reference.
//!
//! `Name type[:length] properties [-> Target|Target Relationship] [if condition] [since n]`. Properties: F filter, G group, S sort,
//! N nillable, U updateable, C createable; `.` for none. Source: salesforce.md §3.

pub(super) const USER: &str = "
Username string:80 FGSUC
LastName string:80 FGSUC
FirstName string:40 FGSNUC
Name string:121 FGS
CompanyName string:80 FGSNUC
Division string:80 FGSNUC
Department string:80 FGSNUC
Title string:80 FGSNUC
Street textarea:255 FGSNUC
City string:40 FGSNUC
State string:80 FGSNUC
PostalCode string:20 FGSNUC
Country string:80 FGSNUC
Email email:128 FGSUC
Phone phone:40 FGSNUC
MobilePhone phone:40 FGSNUC
Alias string:8 FGSUC
CommunityNickname string:40 FGSUC
IsActive boolean FGSUC
TimeZoneSidKey picklist:40 FGSUC
LocaleSidKey picklist:40 FGSUC
LanguageLocaleKey picklist:40 FGSUC
EmailEncodingKey picklist:40 FGSUC
UserRoleId reference FGSNUC -> UserRole UserRole
ProfileId reference FGSNUC -> Profile Profile
UserType picklist:40 FGSN
EmployeeNumber string:20 FGSNUC
DelegatedApproverId reference FGSNUC -> Group|User -
ManagerId reference FGSNUC -> User Manager
CallCenterId reference FGSNUC
IndividualId reference FGSNUC
LastLoginDate datetime FSN
LastPasswordChangeDate datetime FSN
PasswordExpirationDate datetime FSN since 63
NumberOfFailedLogins int FGSN
ForecastEnabled boolean FGSUC
FederationIdentifier string:512 FGSNUC
ContactId reference FGSNC -> Contact Contact if communities
AccountId reference FGSN -> Account Account if communities
IsPortalEnabled boolean FGSU if communities
PortalRole picklist:40 FGSNC if communities
IsPrmSuperUser boolean FGSU if communities
UserPermissionsMarketingUser boolean FUC
UserPermissionsOfflineUser boolean FUC
UserPermissionsAvantgoUser boolean FUC
UserPermissionsCallCenterAutoLogin boolean FUC
UserPermissionsSFContentUser boolean FUC
UserPermissionsKnowledgeUser boolean FUC
UserPermissionsInteractionUser boolean FUC
UserPermissionsSupportUser boolean FUC
UserPermissionsLiveAgentUser boolean FUC
UserPermissionsSiteforceContributorUser boolean FUC
UserPermissionsSiteforcePublisherUser boolean FUC
UserPermissionsWorkDotComUserFeature boolean FUC
UserPermissionsJigsawProspectingUser boolean FUC
UserPermissionsChatterAnswersUser boolean FUC
UserPermissionsMobileUser boolean FUC
CreatedDate datetime FS
CreatedById reference FGS -> User CreatedBy
LastModifiedDate datetime FS
LastModifiedById reference FGS -> User LastModifiedBy
SystemModstamp datetime FS
";

pub(super) const USER_LOGIN: &str = "
UserId reference FGS -> User User
IsFrozen boolean FGSU
IsPasswordLocked boolean FGSU
LastModifiedDate datetime FS
LastModifiedById reference FGS -> User LastModifiedBy
";

pub(super) const USER_LICENSE: &str = "
LicenseDefinitionKey string:40 FGS
Name string:40 FGS
MasterLabel string:80 FGS
Status picklist:40 FGS
TotalLicenses int FGS
UsedLicenses int GS filter-until 63
UsedLicensesLastUpdated datetime FS
MonthlyLoginsEntitlement int FGSN if monthly-logins
MonthlyLoginsUsed int GSN if monthly-logins
CreatedDate datetime FS
LastModifiedDate datetime FS
SystemModstamp datetime FS
";

/// The `Permissions…` columns that this org knows, on `Profile`, `PermissionSet` and `UserPermissionAccess`.
pub(super) const PERMISSIONS: &str = "
PermissionsApiEnabled boolean FGSUC
PermissionsApiUserOnly boolean FGSUC
PermissionsViewSetup boolean FGSUC
PermissionsManageUsers boolean FGSUC
PermissionsManageInternalUsers boolean FGSUC
PermissionsManagePartners boolean FGSUC
PermissionsManageCssUsers boolean FGSUC
PermissionsViewAllUsers boolean FGSUC
PermissionsViewAllProfiles boolean FGSUC
PermissionsViewDeveloperName boolean FGSUC
PermissionsAssignPermissionSets boolean FGSUC
PermissionsMonitorLoginHistory boolean FGSUC
PermissionsViewAllData boolean FGSUC
PermissionsModifyAllData boolean FGSUC
PermissionsViewEventLogFiles boolean FGSUC
";

pub(super) const PROFILE: &str = "
Name string:255 FGSUC
UserLicenseId reference FGS -> UserLicense UserLicense
UserType picklist:40 FGSN
Description string:255 FGSNUC
CreatedDate datetime FS
CreatedById reference FGS -> User CreatedBy
LastModifiedDate datetime FS
LastModifiedById reference FGS -> User LastModifiedBy
SystemModstamp datetime FS
";

pub(super) const ORGANIZATION: &str = "
Name string:80 FGSU
Division string:80 FGSNU
City string:40 FGSNU
Country string:80 FGSNU
PrimaryContact string:80 FGSNU
DefaultLocaleSidKey picklist:40 FGSU
TimeZoneSidKey picklist:40 FGSU
LanguageLocaleKey picklist:40 FGSU
OrganizationType picklist:40 FGSN
NamespacePrefix string:15 FGSN
InstanceName string:5 FGSN since 31
IsSandbox boolean FGS since 31
IsReadOnly boolean FGS
TrialExpirationDate datetime FSN
MonthlyPageViewsUsed int FGSN
MonthlyPageViewsEntitlement int FGSN
CreatedDate datetime FS
CreatedById reference FGS -> User CreatedBy
LastModifiedDate datetime FS
LastModifiedById reference FGS -> User LastModifiedBy
SystemModstamp datetime FS
";

pub(super) const PERMISSION_SET_LICENSE: &str = "
DeveloperName string:80 FGS if developer-name
MasterLabel string:80 FGS
Language picklist:40 FGSN
PermissionSetLicenseKey string:80 FGS
Status picklist:40 FGS
TotalLicenses int FGS
UsedLicenses int FGS
ExpirationDate date FGSN
IsAvailableForIntegrations boolean FGS
IsSupplementLicense boolean FGS
MaximumPermissionsApiEnabled boolean FGS
MaximumPermissionsViewSetup boolean FGS
CreatedDate datetime FS
LastModifiedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const PERMISSION_SET_LICENSE_ASSIGN: &str = "
PermissionSetLicenseId reference FGSC -> PermissionSetLicense PermissionSetLicense
AssigneeId reference FGSC -> User Assignee
IsRevoked boolean FGS
CreatedDate datetime FS
LastModifiedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const PERMISSION_SET: &str = "
Name string:80 FGSUC
Label string:80 FGSUC
Description string:255 FGSNUC
LicenseId reference FGSNC -> PermissionSetLicense|UserLicense License
ProfileId reference FGSN -> Profile Profile
IsOwnedByProfile boolean FGS
IsCustom boolean FGS
Type picklist:40 FGSN
PermissionSetGroupId reference FGSN -> PermissionSetGroup PermissionSetGroup
NamespacePrefix string:15 FGSN
CreatedDate datetime FS
LastModifiedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const PERMISSION_SET_ASSIGNMENT: &str = "
PermissionSetId reference FGSNC -> PermissionSet PermissionSet
PermissionSetGroupId reference FGSNC -> PermissionSetGroup PermissionSetGroup
AssigneeId reference FGSC -> User Assignee
IsActive boolean FGS since 52
ExpirationDate datetime FSNUC
SystemModstamp datetime FS
";

pub(super) const PERMISSION_SET_GROUP: &str = "
DeveloperName string:80 FGS
MasterLabel string:80 FGS
Description string:255 FGSN
Status picklist:40 FGS
CreatedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const PERMISSION_SET_GROUP_COMPONENT: &str = "
PermissionSetGroupId reference FGS -> PermissionSetGroup PermissionSetGroup
PermissionSetId reference FGS -> PermissionSet PermissionSet
SystemModstamp datetime FS
";

pub(super) const PACKAGE_LICENSE: &str = "
NamespacePrefix string:15 FGS
Status picklist:40 FGS
AllowedLicenses int FGS
UsedLicenses int FGS
ExpirationDate datetime FSN
IsProvisioned boolean FGS
IsAvailableForIntegrations boolean FGS
CreatedDate datetime FS
LastModifiedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const USER_PACKAGE_LICENSE: &str = "
PackageLicenseId reference FGSC -> PackageLicense PackageLicense
UserId reference FGSC -> User User
CreatedDate datetime FS
CreatedById reference FGS -> User CreatedBy
LastModifiedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const TENANT_USAGE_ENTITLEMENT: &str = "
ResourceGroupKey string:120 FGS
Setting string:120 FGS
MasterLabel string:120 FGSN
CurrentAmountAllowed double FGS
AmountUsed double FGSN
Frequency picklist:40 FGSN
StartDate date FGS
EndDate date FGSN
UsageDate datetime FSN
IsPersistentResource boolean FGS
HasRollover boolean FGS
OverageGrace double FGSN
CreatedDate datetime FS
SystemModstamp datetime FS
";

pub(super) const ACTIVE_FEATURE_LICENSE_METRIC: &str = "
MetricsDate date FGS
FeatureType picklist:40 FGS
AssignedUserCount int FGSN
ActiveUserCount int FGSN
TotalLicenseCount int FGSN
SystemModstamp datetime FS
";

pub(super) const ACTIVE_PERM_SET_LICENSE_METRIC: &str = "
MetricsDate date FGS
PermissionSetLicenseId reference FGS -> PermissionSetLicense PermissionSetLicense
DeveloperName string:80 FGSN
MasterLabel string:80 FGSN
AssignedUserCount int FGSN
ActiveUserCount int FGSN
TotalLicenses int FGSN
SystemModstamp datetime FS
";

pub(super) const ACTIVE_PROFILE_METRIC: &str = "
MetricsDate date FGS
ProfileId reference FGS -> Profile Profile
UserLicenseId reference FGS -> UserLicense UserLicense
AssignedUserCount int FGSN
ActiveUserCount int FGSN
SystemModstamp datetime FS
";

/// Status, Application, Browser, Platform and ApiType are not filterable; the short list of the usage section is followed.
pub(super) const LOGIN_HISTORY: &str = "
UserId reference FGSN
LoginTime datetime FS
LoginType picklist:40 FGSN
LoginSubType picklist:40 GSN since 52
SourceIp string:39 GSN
ForwardedForIp string:256 GSN since 61
LoginUrl string:120 FGSN
AuthenticationServiceId id FGSN
NetworkId id FGSN if communities
LoginGeoId reference GSN if manage-users
TlsProtocol picklist:40 FGSN
CipherSuite picklist:40 FGSN
OptionsIsGet boolean FGS
OptionsIsPost boolean FGS
Browser string:60 GSN
Platform string:120 GSN
Status string:128 GSN
Application string:192 GSN
ClientVersion string:60 GSN
ApiType string:64 GSN
ApiVersion string:32 GSN
CountryIso string:2 FGSN
AuthMethodReference string:255 GSN
";
