package influx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api"
	"github.com/influxdata/influxdb-client-go/v2/domain"
)

// SetupOptions say what [Setup] makes. A server that was never set up takes
// User and Password; any other one an AdminToken.
type SetupOptions struct {
	URL            string
	AdminToken     string // may make buckets and tokens in Org, and Org itself if it is not there
	User, Password string // of the first administrator of a new server
	Org, Bucket    string
	// Retention is for how long readings are kept, for ever when 0. A bucket that
	// is there already keeps what it has.
	Retention time.Duration
	// Rollups makes three more buckets and the server's own tasks that fill them,
	// for Grafana and the like, see rollup.go. Thermie itself reads none of them.
	Rollups bool
	TLS     *tls.Config // nil: the system's authorities
}

// Tokens are what the roles of Thermie sign in to InfluxDB with.
type Tokens struct {
	Admin string // only of a server that was new: keep it away from Thermie's machines
	Write string // for the follower: reads and writes the bucket, nothing else
	Read  string // for pages and reports: reads the bucket, nothing else
	// Rollups is for other people's dashboards: reads the buckets of roll-ups,
	// nothing else; "" without them.
	Rollups string
}

// Setup makes organisation, bucket and tokens where they are missing. Doing it
// again returns the same tokens; one that leaked is removed in InfluxDB and
// made anew by the next Setup. After an error the tokens made so far are
// returned: that of a new server's administrator is given only once.
func Setup(ctx context.Context, o SetupOptions) (Tokens, error) {
	tokens, err := setup(ctx, o)
	if err != nil {
		return tokens, fmt.Errorf("set up InfluxDB at %s: %w", o.URL, err)
	}
	return tokens, nil
}

func setup(ctx context.Context, o SetupOptions) (t Tokens, err error) {
	if o.URL == "" || o.Org == "" || o.Bucket == "" {
		return t, errors.New("URL, organisation and bucket are needed")
	}
	if o.Retention != 0 && o.Retention < time.Hour || o.Retention%time.Second != 0 {
		return t, fmt.Errorf("retention %s: want 0 or whole seconds, at least an hour", o.Retention)
	}
	token := o.AdminToken
	if token == "" {
		if token, err = onboard(ctx, o); err != nil {
			return t, err
		}
		t.Admin = token
	}
	client, h := connect(o.URL, token, o.TLS)
	defer h.CloseIdleConnections()
	org, err := ensureOrg(ctx, client.OrganizationsAPI(), o.Org)
	if err != nil {
		return t, fmt.Errorf("organisation %s: %w", o.Org, err)
	}
	bucket, err := ensureBucket(ctx, client.BucketsAPI(), org, o.Bucket, o.Retention)
	if err != nil {
		return t, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	for _, k := range []struct {
		token   *string
		name    string
		actions []domain.PermissionAction
	}{
		{&t.Write, "thermie write " + o.Bucket, []domain.PermissionAction{domain.PermissionActionRead, domain.PermissionActionWrite}},
		{&t.Read, "thermie read " + o.Bucket, []domain.PermissionAction{domain.PermissionActionRead}},
	} {
		if *k.token, err = ensureToken(ctx, client.AuthorizationsAPI(), org, []*domain.Bucket{bucket}, k.name, k.actions); err != nil {
			return t, fmt.Errorf("token %q: %w", k.name, err)
		}
	}
	if !o.Rollups {
		return t, nil
	}
	if t.Rollups, err = setupRollups(ctx, client, org, o.Bucket); err != nil {
		return t, fmt.Errorf("roll-ups: %w", err)
	}
	return t, nil
}

// onboard sets up a new server and returns its administrator's token.
func onboard(ctx context.Context, o SetupOptions) (string, error) {
	if o.User == "" || o.Password == "" {
		return "", errors.New("an administrator's token is needed, or for a new server a user and a password")
	}
	client, h := connect(o.URL, "", o.TLS)
	defer h.CloseIdleConnections()
	hours := int((o.Retention + time.Hour - 1) / time.Hour)
	answer, err := client.Setup(ctx, o.User, o.Password, o.Org, o.Bucket, hours)
	if err != nil {
		return "", fmt.Errorf("first set-up (a server that has had it needs its administrator's token): %w", err)
	}
	if answer.Auth == nil || answer.Auth.Token == nil {
		return "", errors.New("first set-up: the server gave no token")
	}
	return *answer.Auth.Token, nil
}

const listPage = 100 // resources in one answer

func ensureOrg(ctx context.Context, orgs api.OrganizationsAPI, name string) (*domain.Organization, error) {
	for offset := 0; ; offset += listPage {
		list, err := orgs.GetOrganizations(ctx, api.PagingWithLimit(listPage), api.PagingWithOffset(offset))
		if err != nil {
			return nil, err
		}
		for _, org := range *list {
			if org.Name == name {
				return &org, nil
			}
		}
		if len(*list) < listPage {
			return orgs.CreateOrganizationWithName(ctx, name)
		}
	}
}

func ensureBucket(ctx context.Context, buckets api.BucketsAPI, org *domain.Organization, name string, retention time.Duration) (*domain.Bucket, error) {
	for offset := 0; ; offset += listPage {
		list, err := buckets.FindBucketsByOrgID(ctx, *org.Id, api.PagingWithLimit(listPage), api.PagingWithOffset(offset))
		if err != nil {
			return nil, err
		}
		for _, b := range *list {
			if b.Name == name {
				return &b, nil
			}
		}
		if len(*list) < listPage {
			return buckets.CreateBucketWithName(ctx, org, name, domain.RetentionRule{EverySeconds: int64(retention / time.Second)})
		}
	}
}

func ensureToken(ctx context.Context, tokens api.AuthorizationsAPI, org *domain.Organization, buckets []*domain.Bucket, name string, actions []domain.PermissionAction) (string, error) {
	list, err := tokens.FindAuthorizationsByOrgID(ctx, *org.Id)
	if err != nil {
		return "", err
	}
	permissions := make([]domain.Permission, 0, len(actions)*len(buckets))
	for _, bucket := range buckets {
		for _, action := range actions {
			permissions = append(permissions, domain.Permission{Action: action,
				Resource: domain.Resource{Type: domain.ResourceTypeBuckets, Id: bucket.Id, OrgID: org.Id}})
		}
	}
	for _, a := range *list {
		if a.Description != nil && *a.Description == name && a.Token != nil && *a.Token != "" &&
			a.Status != nil && *a.Status == domain.AuthorizationUpdateRequestStatusActive && onlyBuckets(a.Permissions, buckets, len(permissions)) {
			return *a.Token, nil
		}
	}
	status := domain.AuthorizationUpdateRequestStatusActive
	made, err := tokens.CreateAuthorization(ctx, &domain.Authorization{
		AuthorizationUpdateRequest: domain.AuthorizationUpdateRequest{Description: &name, Status: &status},
		OrgID:                      org.Id, Permissions: &permissions})
	if err != nil {
		return "", err
	}
	if made.Token == nil {
		return "", errors.New("the server gave no token")
	}
	return *made.Token, nil
}

// onlyBuckets says whether permissions are n and all of them for the buckets.
func onlyBuckets(permissions *[]domain.Permission, buckets []*domain.Bucket, n int) bool {
	if permissions == nil || len(*permissions) != n {
		return false
	}
	for _, p := range *permissions {
		if p.Resource.Type != domain.ResourceTypeBuckets || p.Resource.Id == nil ||
			!slices.ContainsFunc(buckets, func(b *domain.Bucket) bool { return *b.Id == *p.Resource.Id }) {
			return false
		}
	}
	return true
}
