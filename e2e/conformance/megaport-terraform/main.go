// Command megaport-terraform drives Megaport's half of the lab's life on a sandbox with Megaport's Terraform provider,
// unchanged and in process: this program speaks the plugin protocol in Terraform's place (validate, plan, apply,
// refresh, plan again, destroy), so no terraform binary is needed.
//
// The provider only knows Megaport's own hosts; the connections to the staging environment are led to the sandbox, as a
// company's proxy might. The provider asks every thirty seconds of real time, so a run takes some minutes.
//
// Its module path makes the provider's internal packages importable. The provider's source is not on every module
// proxy: go.mod points at a folder with a checkout of it.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/megaport/terraform-provider-megaport/internal/provider"
)

const vifKey = "conformance-key"

func fail(format string, args ...any) {
	fmt.Printf("FAILED: "+format+"\n", args...)
	os.Exit(1)
}

func check(holds bool, format string, args ...any) {
	if !holds {
		fail(format, args...)
	}
}

func ok(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func must[T any](v T, err error) T {
	ok(err)
	return v
}

func read(path string, into any) {
	ok(json.Unmarshal(must(os.ReadFile(path)), into))
}

// led leads the provider's requests to the sandbox.
type led struct {
	to   map[string]*url.URL
	next http.RoundTripper
}

func (l led) RoundTrip(r *http.Request) (*http.Response, error) {
	target := l.to[r.URL.Host]
	if target == nil {
		return nil, fmt.Errorf("a request to %s", r.URL.Host)
	}
	r = r.Clone(r.Context())
	r.URL.Host, r.Host = target.Host, target.Host
	return l.next.RoundTrip(r)
}

type terraform struct {
	server tfprotov6.ProviderServer
	schema *tfprotov6.GetProviderSchemaResponse
}

func wrong(what string, diagnostics []*tfprotov6.Diagnostic) {
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			fail("%s: %s: %s", what, d.Summary, d.Detail)
		}
		fmt.Printf("warning: %s: %s: %s\n", what, d.Summary, d.Detail)
	}
}

func dynamic(t tftypes.Type, v tftypes.Value) *tfprotov6.DynamicValue {
	d := must(tfprotov6.NewDynamicValue(t, v))
	return &d
}

// data reads a data source.
func (tf *terraform) data(ctx context.Context, kind string, config map[string]any) tftypes.Value {
	s := tf.schema.DataSourceSchemas[kind]
	check(s != nil, "no data source %s", kind)
	t := s.ValueType()
	res := must(tf.server.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{
		TypeName: kind, Config: dynamic(t, build(t, config)),
	}))
	wrong(kind, res.Diagnostics)
	return must(res.State.Unmarshal(t))
}

// object is a managed object as Terraform would keep it.
type object struct {
	kind    string
	state   tftypes.Value
	private []byte
}

// apply validates, plans and applies a configuration (nil destroys), then refreshes and plans again: nothing may
// have changed by then.
func (tf *terraform) apply(ctx context.Context, o *object, config map[string]any) {
	s := tf.schema.ResourceSchemas[o.kind]
	check(s != nil, "no resource %s", o.kind)
	t := s.ValueType()
	prior := o.state
	if prior.Type() == nil {
		prior = tftypes.NewValue(t, nil)
	}
	wanted := tftypes.NewValue(t, nil)
	if config != nil {
		wanted = build(t, config)
	}
	valid := must(tf.server.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{
		TypeName: o.kind, Config: dynamic(t, wanted),
	}))
	if config != nil {
		wrong("validate "+o.kind, valid.Diagnostics)
	}
	planned, private := tf.plan(ctx, o, t, wanted, prior)
	res := must(tf.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: o.kind, PriorState: dynamic(t, prior), PlannedState: dynamic(t, planned), Config: dynamic(t, wanted),
		PlannedPrivate: private,
	}))
	wrong("apply "+o.kind, res.Diagnostics)
	o.state, o.private = must(res.NewState.Unmarshal(t)), res.Private
	if config == nil {
		check(o.state.IsNull(), "%s is not gone", o.kind)
		return
	}
	check(o.state.IsFullyKnown(), "the state of %s has unknown values", o.kind)
	before := o.state
	again := must(tf.server.ReadResource(ctx, &tfprotov6.ReadResourceRequest{
		TypeName: o.kind, CurrentState: dynamic(t, o.state), Private: o.private,
	}))
	wrong("refresh "+o.kind, again.Diagnostics)
	o.state, o.private = must(again.NewState.Unmarshal(t)), again.Private
	check(!o.state.IsNull(), "%s has vanished", o.kind)
	for _, d := range differences(before, o.state, nil) {
		fmt.Printf("refresh of %s: %s\n", o.kind, d)
	}
	next, _ := tf.plan(ctx, o, t, wanted, o.state)
	left := differences(o.state, next, map[string]bool{`AttributeName("last_updated")`: true})
	check(len(left) == 0, "a second plan of %s is not empty:\n%s", o.kind, strings.Join(left, "\n"))
}

func (tf *terraform) plan(ctx context.Context, o *object, t tftypes.Type, wanted, prior tftypes.Value) (tftypes.Value, []byte) {
	proposed := wanted
	if !wanted.IsNull() {
		proposed = propose(tf.schema.ResourceSchemas[o.kind].Block.Attributes, wanted, prior)
	}
	res := must(tf.server.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: o.kind, PriorState: dynamic(t, prior), ProposedNewState: dynamic(t, proposed), Config: dynamic(t, wanted),
		PriorPrivate: o.private,
	}))
	wrong("plan "+o.kind, res.Diagnostics)
	check(prior.IsNull() || len(res.RequiresReplace) == 0, "%s would be replaced for %v", o.kind, res.RequiresReplace)
	return must(res.PlannedState.Unmarshal(t)), res.PlannedPrivate
}

func main() {
	dir := flag.String("dir", "", "the sandbox's folder")
	key := flag.String("key", "", "service key of an ExpressRoute circuit (optional)")
	flag.Parse()
	var e struct {
		Megaport, MegaportAuth, CA string
	}
	var w struct {
		AWS      struct{ AccountID string }
		Megaport struct {
			AccessKey, SecretKey string
			LocationID           int
		}
	}
	read(filepath.Join(*dir, "endpoints.json"), &e)
	read(filepath.Join(*dir, "world.json"), &w)
	pool := x509.NewCertPool()
	check(pool.AppendCertsFromPEM(must(os.ReadFile(e.CA))), "%s is no certificate", e.CA)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	http.DefaultTransport = led{next: transport, to: map[string]*url.URL{
		"api-staging.megaport.com":      must(url.Parse(e.Megaport)),
		"auth-m2m-staging.megaport.com": must(url.Parse(e.MegaportAuth)),
	}}

	ctx := context.Background()
	server := providerserver.NewProtocol6(provider.New("conformance")())()
	tf := &terraform{server: server, schema: must(server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{}))}
	t := tf.schema.Provider.ValueType()
	configured := must(server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.9.0",
		Config: dynamic(t, build(t, map[string]any{
			"environment": "staging", "access_key": w.Megaport.AccessKey, "secret_key": w.Megaport.SecretKey,
			"accept_purchase_terms": true,
		})),
	}))
	wrong("configure", configured.Diagnostics)
	life(ctx, tf, w.Megaport.LocationID, w.AWS.AccountID, *key)
}

func life(ctx context.Context, tf *terraform, location int, account, key string) {
	if account == "" {
		account = "111122223333"
	}
	place := tf.data(ctx, "megaport_location", map[string]any{"id": location})
	fmt.Printf("held: location %s\n", text(place, "name"))
	port := tf.data(ctx, "megaport_partner", map[string]any{
		"connect_type": "AWS", "company_name": "AWS", "location_id": location, "diversity_zone": "red",
	})
	fmt.Printf("held: AWS port %s\n", text(port, "product_uid"))

	router := &object{kind: "megaport_mcr"}
	routerConfig := map[string]any{
		"product_name": "conformance", "port_speed": 1000, "location_id": location, "contract_term_months": 1,
		"asn": 64600, "diversity_zone": "red", "resource_tags": map[string]any{"owner": "conformance"},
	}
	tf.apply(ctx, router, routerConfig)
	mcr := text(router.state, "product_uid")
	fmt.Printf("held: router %s\n", mcr)
	routerConfig["product_name"], routerConfig["cost_centre"] = "renamed", "net"
	tf.apply(ctx, router, routerConfig)
	fmt.Println("held: router renamed")

	list := &object{kind: "megaport_mcr_prefix_filter_list"}
	tf.apply(ctx, list, map[string]any{
		"mcr_id": mcr, "description": "import", "address_family": "IPv4",
		"entries": []any{map[string]any{"action": "permit", "prefix": "172.16.0.0/16", "ge": 16, "le": 24}},
	})
	fmt.Printf("held: prefix list %s\n", text(list.state, "id"))

	vif := &object{kind: "megaport_vxc"}
	session := map[string]any{
		"peer_asn": 64901, "local_ip_address": "169.254.50.218", "peer_ip_address": "169.254.50.217",
		"password": vifKey, "bfd_enabled": true, "import_whitelist": "import",
	}
	vifConfig := map[string]any{
		"product_name": "conformance-vif", "rate_limit": 50, "contract_term_months": 1,
		"a_end": map[string]any{"requested_product_uid": mcr},
		"a_end_partner_config": map[string]any{"partner": "vrouter", "vrouter_config": map[string]any{
			"interfaces": []any{map[string]any{
				"ip_addresses": []any{"169.254.50.218/30"}, "bgp_connections": []any{session},
			}},
		}},
		"b_end": map[string]any{"requested_product_uid": text(port, "product_uid")},
		"b_end_partner_config": map[string]any{"partner": "aws", "aws_config": map[string]any{
			"name": "conformance-vif", "connect_type": "AWS", "type": "private", "owner_account": account,
			"asn": 64600, "amazon_asn": 64901, "auth_key": vifKey,
			"customer_ip_address": "169.254.50.218/30", "amazon_ip_address": "169.254.50.217/30",
		}},
		"resource_tags": map[string]any{"owner": "conformance"},
	}
	tf.apply(ctx, vif, vifConfig)
	fmt.Printf("held: VXC to AWS %s\n", text(vif.state, "product_uid"))
	session["shutdown"] = true
	vifConfig["rate_limit"] = 60
	tf.apply(ctx, vif, vifConfig)
	fmt.Println("held: session shut, rate changed")

	var azure []*object
	if key != "" {
		for choice, host := range map[string]int{"primary": 217, "secondary": 221} {
			ours := fmt.Sprintf("169.254.101.%d", host)
			o := &object{kind: "megaport_vxc"}
			tf.apply(ctx, o, map[string]any{
				"product_name": "conformance-" + choice, "rate_limit": 50, "contract_term_months": 1,
				"a_end": map[string]any{"requested_product_uid": mcr},
				"a_end_partner_config": map[string]any{"partner": "vrouter", "vrouter_config": map[string]any{
					"interfaces": []any{map[string]any{
						"vlan": 100, "ip_addresses": []any{ours + "/30"},
						"bgp_connections": []any{map[string]any{
							"peer_asn": 12076, "local_ip_address": ours,
							"peer_ip_address": fmt.Sprintf("169.254.101.%d", host+1),
						}},
					}},
				}},
				"b_end": map[string]any{},
				"b_end_partner_config": map[string]any{"partner": "azure", "azure_config": map[string]any{
					"port_choice": choice, "service_key": key,
				}},
			})
			azure = append(azure, o)
			fmt.Printf("held: VXC to Azure's %s port\n", choice)
		}
	}
	for _, o := range append(azure, vif, list, router) {
		tf.apply(ctx, o, nil)
		fmt.Printf("held: %s destroyed\n", o.kind)
	}
	fmt.Println("ok")
}
