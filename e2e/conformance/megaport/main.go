// Command megaport drives Megaport's half of the lab's life on a sandbox with Megaport's own Go SDK, unchanged.
//
// It is told where the sandbox is by the folder that the sandbox writes (endpoints.json, world.json, ca.pem) and prints
// one line for each step that held. It ends with exit code 1 at the first that did not. With -key it also connects
// both ports of the ExpressRoute circuit that has this service key.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	mp "github.com/megaport/megaportgo"
)

type endpoints struct {
	Megaport     string `json:"megaport"`
	MegaportAuth string `json:"megaportAuth"`
	CA           string `json:"ca"`
}

type world struct {
	AWS struct {
		AccountID string `json:"accountID"`
	} `json:"aws"`
	Megaport struct {
		AccessKey   string   `json:"accessKey"`
		SecretKey   string   `json:"secretKey"`
		CompanyUID  string   `json:"companyUID"`
		LocationID  int      `json:"locationID"`
		AWSPortUIDs []string `json:"awsPortUIDs"`
	} `json:"megaport"`
}

const vifKey = "conformance-key"

var steps int

func fail(format string, args ...any) {
	fmt.Printf("FAILED: "+format+"\n", args...)
	os.Exit(1)
}

func held(format string, args ...any) {
	steps++
	fmt.Printf("held: "+format+"\n", args...)
}

// must ends the run when a call failed.
func must[T any](v T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return v
}

func check(ok bool, format string, args ...any) {
	if !ok {
		fail(format, args...)
	}
}

func read(path string, into any) {
	body := must(os.ReadFile(path))
	if err := json.Unmarshal(body, into); err != nil {
		fail("%s: %v", path, err)
	}
}

func client(e endpoints, access, secret string) *mp.Client {
	pool := x509.NewCertPool()
	check(pool.AppendCertsFromPEM(must(os.ReadFile(e.CA))), "%s is no certificate", e.CA)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return must(mp.New(
		&http.Client{Transport: transport, Timeout: time.Minute},
		mp.WithBaseURL(e.Megaport),
		mp.WithTokenURL(e.MegaportAuth),
		mp.WithCredentials(access, secret),
		mp.WithLogHandler(slog.NewTextHandler(io.Discard, nil)),
	))
}

// until polls once a tenth of a second, as a program would that does not want to wait for the SDK's thirty seconds.
func until(what string, done func() bool) {
	for range 600 {
		if done() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	fail("a minute has passed: %s", what)
}

func main() {
	dir := flag.String("dir", "", "the sandbox's folder")
	key := flag.String("key", "", "service key of an ExpressRoute circuit (optional)")
	wait := flag.Bool("wait", false, "let the SDK wait for the router (30 seconds)")
	flag.Parse()
	var e endpoints
	var w world
	read(filepath.Join(*dir, "endpoints.json"), &e)
	read(filepath.Join(*dir, "world.json"), &w)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()

	_, err := client(e, w.Megaport.AccessKey, "wrong").Authorize(ctx)
	check(err != nil, "a wrong secret was accepted")
	held("wrong credentials are refused: %v", err)
	c := client(e, w.Megaport.AccessKey, w.Megaport.SecretKey)
	info := must(c.Authorize(ctx))
	check(time.Until(info.Expiration) > time.Minute, "the token lives until %v", info.Expiration)
	held("authorised")

	catalogues(ctx, c, w)
	port := awsPort(ctx, c, w)
	router := buyRouter(ctx, c, w, *wait)
	list := prefixList(ctx, c, router)
	vif := buyVIF(ctx, c, w, router, port, list)
	changeVIF(ctx, c, vif)
	var azure []string
	if *key != "" {
		azure = connectCircuit(ctx, c, w, router, *key)
	}
	lists(ctx, c, router, append(azure, vif))
	locks(ctx, c, vif)
	teardown(ctx, c, router, list, append(azure, vif))
	fmt.Printf("ok: %d steps\n", steps)
}

func catalogues(ctx context.Context, c *mp.Client, w world) {
	all := must(c.LocationService.ListLocationsV3(ctx))
	check(len(all) >= 10, "%d locations", len(all))
	active := must(c.LocationService.ListLocationsV3WithOptions(ctx, &mp.ListLocationsV3Options{
		Statuses: []string{mp.LocationStatusActive},
	}))
	check(len(active) < len(all) && len(active) > 0, "%d of %d locations are active", len(active), len(all))
	lab := must(c.LocationService.GetLocationByIDV3(ctx, w.Megaport.LocationID))
	check(slices.Contains(lab.DiversityZones.Red.McrSpeedMbps, 1000), "no router at %s", lab.Name)
	au := must(c.LocationService.FilterLocationsByMarketCodeV3(ctx, "AU", all))
	check(len(c.LocationService.FilterLocationsByMcrAvailabilityV3(ctx, true, au)) > 0, "no router in Australia")
	fuzzy := must(c.LocationService.GetLocationByNameFuzzyV3(ctx, "NextDC"))
	check(len(fuzzy) > 0, "no location named like NextDC")
	held("%d locations, the lab's is %s", len(all), lab.Name)
	countries := must(c.LocationService.ListCountries(ctx))
	codes := must(c.LocationService.ListMarketCodes(ctx))
	check(len(countries) > 0 && slices.Contains(codes, "AU"), "market codes %v", codes)
	check(must(c.LocationService.IsValidMarketCode(ctx, "US")), "US is no market")
	held("%d countries", len(countries))
	price := must(c.ProductService.GetProductPricing(ctx, &mp.MCRPriceBookRequest{
		LocationID: w.Megaport.LocationID, Speed: 1000, Term: 12,
	}))
	check(price.MonthlyRate > 0 && price.MonthlyRate < price.MonthlyRackRate, "price %+v", price)
	held("a router costs %.2f %s a month", price.MonthlyRate, price.Currency)
	for _, s := range mp.VALID_MAINTENANCE_STATES {
		must(c.EventsService.GetMaintenanceEvents(ctx, string(s)))
	}
	must(c.OrderApprovalService.ListOrderApprovals(ctx, &mp.ListOrderApprovalsRequest{}))
	held("maintenance events and order approvals")
}

func awsPort(ctx context.Context, c *mp.Client, w world) string {
	all := must(c.PartnerService.ListPartnerMegaports(ctx))
	aws := must(c.PartnerService.FilterPartnerMegaportByConnectType(ctx, all, mp.CONNECT_TYPE_AWS_VIF, true))
	hosted := must(c.PartnerService.FilterPartnerMegaportByConnectType(ctx, all, mp.CONNECT_TYPE_AWS_HOSTED_CONNECTION, true))
	azure := must(c.PartnerService.FilterPartnerMegaportByConnectType(ctx, all, mp.PARTNER_AZURE, true))
	check(len(aws) > 0 && len(hosted) > 0 && len(azure) > 0, "%d, %d and %d ports", len(aws), len(hosted), len(azure))
	here := must(c.PartnerService.FilterPartnerMegaportByLocationId(ctx, aws, w.Megaport.LocationID))
	red := must(c.PartnerService.FilterPartnerMegaportByDiversityZone(ctx, here, "red"))
	check(len(red) == 1, "%d red AWS ports at the lab's location", len(red))
	check(slices.Contains(w.Megaport.AWSPortUIDs, red[0].ProductUID), "world.json does not know %s", red[0].ProductUID)
	metro := must(c.PartnerService.FilterPartnerMegaportByMetro(ctx, aws, "Ashburn"))
	check(len(metro) >= 2, "%d AWS ports in Ashburn", len(metro))
	held("%d partner ports, the lab's is %s", len(all), red[0].ProductName)
	return red[0].ProductUID
}

func buyRouter(ctx context.Context, c *mp.Client, w world, wait bool) string {
	order := &mp.BuyMCRRequest{
		LocationID: w.Megaport.LocationID, Name: "conformance", Term: 1, PortSpeed: 1000, MCRAsn: 64600,
		DiversityZone: "red", ResourceTags: map[string]string{"owner": "conformance"},
		WaitForProvision: wait,
	}
	if err := c.MCRService.ValidateMCROrder(ctx, order); err != nil {
		fail("validate: %v", err)
	}
	bad := *order
	bad.LocationID = 9999
	check(c.MCRService.ValidateMCROrder(ctx, &bad) != nil, "a location that does not exist was accepted")
	uid := must(c.MCRService.BuyMCR(ctx, order)).TechnicalServiceUID
	check(uid != "", "the order has no UID")
	until("the router is live", func() bool {
		return must(c.MCRService.GetMCR(ctx, uid)).ProvisioningStatus == mp.SERVICE_LIVE
	})
	if err := c.MCRService.WaitForMCRReady(ctx, uid, time.Minute); err != nil {
		fail("%v", err)
	}
	m := must(c.MCRService.GetMCR(ctx, uid))
	check(m.Name == "conformance" && m.Type == "MCR2" && m.PortSpeed == 1000, "router %+v", m)
	check(m.Resources.VirtualRouter.ASN == 64600 && m.Resources.Interface.Up == 1, "resources %+v", m.Resources)
	check(m.DiversityZone == "red" && m.VXCPermitted && m.Cancelable, "router %+v", m)
	check(m.CompanyUID == w.Megaport.CompanyUID && m.LocationDetails.Metro == "Ashburn", "router %+v", m)
	check(!m.CreateDate.IsZero() && !m.LiveDate.IsZero() && m.TerminateDate == nil, "dates of %+v", m)
	tags := must(c.MCRService.ListMCRResourceTags(ctx, uid))
	check(tags["owner"] == "conformance", "tags %v", tags)
	if err := c.MCRService.UpdateMCRResourceTags(ctx, uid, map[string]string{"owner": "other"}); err != nil {
		fail("tags: %v", err)
	}
	tags = must(c.MCRService.ListMCRResourceTags(ctx, uid))
	check(tags["owner"] == "other" && len(tags) == 1, "tags %v", tags)
	kind := must(c.ProductService.GetProductType(ctx, uid))
	check(strings.EqualFold(kind, mp.PRODUCT_MCR), "type %s", kind)
	must(c.MCRService.ModifyMCR(ctx, &mp.ModifyMCRRequest{MCRID: uid, Name: "renamed", CostCentre: "net"}))
	until("the router is renamed", func() bool {
		m := must(c.MCRService.GetMCR(ctx, uid))
		return m.Name == "renamed" && m.CostCentre == "net"
	})
	held("router %s", uid)
	return uid
}

func prefixList(ctx context.Context, c *mp.Client, router string) int {
	entries := []*mp.MCRPrefixListEntry{{Action: "permit", Prefix: "172.16.0.0/16", Ge: 16, Le: 24}}
	made := must(c.MCRService.CreatePrefixFilterList(ctx, &mp.CreateMCRPrefixFilterListRequest{
		MCRID: router,
		PrefixFilterList: mp.MCRPrefixFilterList{
			Description: "import", AddressFamily: "IPv4", Entries: entries,
		},
	}))
	id := made.PrefixFilterListID
	all := must(c.MCRService.ListMCRPrefixFilterLists(ctx, router))
	check(len(all) == 1 && all[0].Id == id, "prefix lists %+v", all)
	one := must(c.MCRService.GetMCRPrefixFilterList(ctx, router, id))
	check(len(one.Entries) == 1 && one.Entries[0].Le == 24, "prefix list %+v", one.Entries[0])
	check(one.Entries[0].Ge == 0, "ge equal to the prefix length is dropped, not %d", one.Entries[0].Ge)
	one.Description = "changed"
	must(c.MCRService.ModifyMCRPrefixFilterList(ctx, router, id, one))
	check(must(c.MCRService.GetMCRPrefixFilterList(ctx, router, id)).Description == "changed", "not changed")
	held("prefix list %d", id)
	return id
}

func vifInterfaces(list int, shutdown bool) *mp.VXCOrderVrouterPartnerConfig {
	return &mp.VXCOrderVrouterPartnerConfig{Interfaces: []mp.PartnerConfigInterface{{
		IpAddresses: []string{"169.254.50.218/30"},
		BgpConnections: []mp.BgpConnectionConfig{{
			PeerAsn: 64901, LocalIpAddress: "169.254.50.218", PeerIpAddress: "169.254.50.217",
			Password: vifKey, BfdEnabled: true, Shutdown: shutdown, ImportWhitelist: list,
			PermitExportTo: []string{"192.0.2.9"},
		}},
	}}}
}

// entries are the two sides of a router's VXC: the router first, then the cloud.
func entries(v *mp.VXC) (mp.CSPConnectionVirtualRouter, mp.CSPConnectionConfig) {
	check(v.Resources != nil && v.Resources.CSPConnection != nil, "%s has no csp_connection", v.UID)
	all := v.Resources.CSPConnection.CSPConnection
	check(len(all) == 2, "%d entries", len(all))
	router, ok := all[0].(mp.CSPConnectionVirtualRouter)
	check(ok, "the first entry is %T", all[0])
	return router, all[1]
}

func live(ctx context.Context, c *mp.Client, uid string) *mp.VXC {
	until(uid+" is live", func() bool {
		return must(c.VXCService.GetVXC(ctx, uid)).ProvisioningStatus == mp.SERVICE_LIVE
	})
	return must(c.VXCService.GetVXC(ctx, uid))
}

func buyVIF(ctx context.Context, c *mp.Client, w world, router, port string, list int) string {
	account := w.AWS.AccountID
	if account == "" {
		account = "111122223333"
	}
	order := &mp.BuyVXCRequest{
		PortUID: router, VXCName: "conformance-vif", RateLimit: 50, Term: 1,
		AEndConfiguration: mp.VXCOrderEndpointConfiguration{
			PartnerConfig:     vifInterfaces(list, false),
			VXCOrderMVEConfig: &mp.VXCOrderMVEConfig{},
		},
		BEndConfiguration: mp.VXCOrderEndpointConfiguration{
			ProductUID: port,
			PartnerConfig: mp.VXCPartnerConfigAWS{
				ConnectType: mp.CONNECT_TYPE_AWS_VIF, Type: "private", OwnerAccount: account,
				ASN: 64600, AmazonASN: 64901, AuthKey: vifKey, ConnectionName: "conformance-vif",
				CustomerIPAddress: "169.254.50.218/30", AmazonIPAddress: "169.254.50.217/30",
			},
		},
		ResourceTags: map[string]string{"owner": "conformance"},
	}
	if err := c.VXCService.ValidateVXCOrder(ctx, order); err != nil {
		fail("validate: %v", err)
	}
	uid := must(c.VXCService.BuyVXC(ctx, order)).TechnicalServiceUID
	check(uid != "", "the order has no UID")
	v := live(ctx, c, uid)
	vr, cloud := entries(v)
	aws, ok := cloud.(mp.CSPConnectionAWS)
	check(ok, "the second entry is %T", cloud)
	check(strings.HasPrefix(aws.VIFID, "dxvif-"), "vif_id %q", aws.VIFID)
	check(aws.AuthKey == vifKey && aws.OwnerAccount == account && aws.AmazonASN == 64901, "AWS side %+v", aws)
	check(aws.VLAN == v.BEndConfiguration.VLAN && aws.VLAN > 1, "VLAN %d and %d", aws.VLAN, v.BEndConfiguration.VLAN)
	session := vr.Interfaces[0].BGPConnections[0]
	check(session.Password == vifKey && session.ImportWhitelist == list && session.BfdEnabled, "session %+v", session)
	check(v.AEndConfiguration.UID == router && v.RateLimit == 50 && v.DistanceBand == "METRO", "VXC %+v", v)
	check(v.Resources.VLL.RateLimitMBPS == 50, "VLL %+v", v.Resources.VLL)
	tags := must(c.VXCService.ListVXCResourceTags(ctx, uid))
	check(tags["owner"] == "conformance", "tags %v", tags)
	held("hosted VIF %s over %s", aws.VIFID, uid)
	return uid
}

func changeVIF(ctx context.Context, c *mp.Client, uid string) {
	before, _ := entries(must(c.VXCService.GetVXC(ctx, uid)))
	list := before.Interfaces[0].BGPConnections[0].ImportWhitelist
	must(c.VXCService.UpdateVXC(ctx, uid, &mp.UpdateVXCRequest{
		Name: mp.PtrTo("conformance-changed"), RateLimit: mp.PtrTo(60),
		AEndPartnerConfig: vifInterfaces(list, true),
	}))
	until("the change applies", func() bool {
		v := must(c.VXCService.GetVXC(ctx, uid))
		vr, _ := entries(v)
		s := vr.Interfaces[0].BGPConnections[0]
		return v.Name == "conformance-changed" && v.RateLimit == 60 && s.Shutdown && s.Password == vifKey
	})
	_, err := c.VXCService.UpdateVXC(ctx, uid, &mp.UpdateVXCRequest{BEndVLAN: mp.PtrTo(55)})
	check(err != nil && strings.Contains(err.Error(), "Only B end owner"), "changing the B-end's VLAN: %v", err)
	held("session shut and VXC changed")
}

func connectCircuit(ctx context.Context, c *mp.Client, w world, router, key string) []string {
	ports := must(c.VXCService.ListPartnerPorts(ctx, &mp.ListPartnerPortsRequest{Key: key, Partner: mp.PARTNER_AZURE})).Data
	check(ports.ServiceKey == key && len(ports.Megaports) == 2 && ports.Bandwidth >= 50, "lookup %+v", ports)
	first := must(c.VXCService.LookupPartnerPorts(ctx, &mp.LookupPartnerPortsRequest{
		Key: key, PortSpeed: 50, Partner: mp.PARTNER_AZURE,
	}))
	check(first.ProductUID == ports.Megaports[0].ProductUID, "the first free port is %s", first.ProductUID)
	subnets := map[string][2]string{
		"primary":   {"169.254.101.217/30", "169.254.101.218"},
		"secondary": {"169.254.101.221/30", "169.254.101.222"},
	}
	var out []string
	for _, p := range ports.Megaports {
		s := subnets[p.Type]
		order := &mp.BuyVXCRequest{
			PortUID: router, VXCName: "conformance-" + p.Type, RateLimit: 50, Term: 1,
			AEndConfiguration: mp.VXCOrderEndpointConfiguration{
				PartnerConfig: &mp.VXCOrderVrouterPartnerConfig{Interfaces: []mp.PartnerConfigInterface{{
					VLAN: 100, IpAddresses: []string{s[0]},
					BgpConnections: []mp.BgpConnectionConfig{{
						PeerAsn: 12076, LocalIpAddress: strings.TrimSuffix(s[0], "/30"), PeerIpAddress: s[1],
						BfdEnabled: true,
					}},
				}}},
			},
			BEndConfiguration: mp.VXCOrderEndpointConfiguration{
				ProductUID: p.ProductUID,
				PartnerConfig: mp.VXCPartnerConfigAzure{
					ConnectType: "AZURE", ServiceKey: key, Peers: []mp.PartnerOrderAzurePeeringConfig{},
				},
			},
		}
		if err := c.VXCService.ValidateVXCOrder(ctx, order); err != nil {
			fail("validate: %v", err)
		}
		uid := must(c.VXCService.BuyVXC(ctx, order)).TechnicalServiceUID
		v := live(ctx, c, uid)
		_, cloud := entries(v)
		azure, ok := cloud.(mp.CSPConnectionAzure)
		check(ok, "the second entry is %T", cloud)
		check(azure.ServiceKey == key && azure.VLAN == ports.VLAN && !azure.Managed, "Azure side %+v", azure)
		check(c.VXCService.ValidateVXCOrder(ctx, order) != nil, "the %s port was given twice", p.Type)
		out = append(out, uid)
		held("circuit's %s port over %s", p.Type, uid)
	}
	_, err := c.VXCService.LookupPartnerPorts(ctx, &mp.LookupPartnerPortsRequest{Key: key, PortSpeed: 50, Partner: mp.PARTNER_AZURE})
	check(errors.Is(err, mp.ErrNoAvailableVxcPorts), "both ports are taken, yet: %v", err)
	held("both ports are taken")
	return out
}

func lists(ctx context.Context, c *mp.Client, router string, vxcs []string) {
	until("lists show everything", func() bool {
		found := must(c.VXCService.ListVXCs(ctx, &mp.ListVXCsRequest{AEndProductUID: router}))
		return len(found) == len(vxcs)
	})
	mcrs := must(c.MCRService.ListMCRs(ctx, nil))
	check(len(mcrs) == 1 && mcrs[0].UID == router && len(mcrs[0].AssociatedVXCs) == len(vxcs), "routers %+v", mcrs)
	held("lists")
}

func locks(ctx context.Context, c *mp.Client, vif string) {
	lock := func(on bool) error {
		_, err := c.ProductService.ManageProductLock(ctx, &mp.ManageProductLockRequest{ProductID: vif, ShouldLock: on})
		return err
	}
	check(lock(true) == nil, "it could not be locked")
	v := must(c.VXCService.GetVXC(ctx, vif))
	check(v.Locked && !v.Cancelable, "locked VXC %+v", v)
	check(c.VXCService.DeleteVXC(ctx, vif, &mp.DeleteVXCRequest{DeleteNow: true}) != nil, "a locked VXC was cancelled")
	check(lock(false) == nil, "it could not be unlocked")
	held("lock and unlock")
}

func teardown(ctx context.Context, c *mp.Client, router string, list int, vxcs []string) {
	drop := func(safe bool) error {
		_, err := c.MCRService.DeleteMCR(ctx, &mp.DeleteMCRRequest{MCRID: router, DeleteNow: true, SafeDelete: safe})
		return err
	}
	check(drop(true) != nil, "a router with VXCs was cancelled safely")
	_, err := c.MCRService.DeleteMCRPrefixFilterList(ctx, router, list)
	check(err != nil, "a prefix list in use was deleted")
	check(c.VXCService.DeleteVXC(ctx, vxcs[0], &mp.DeleteVXCRequest{}) != nil, "cancelling later is gone")
	for _, uid := range vxcs {
		if err := c.VXCService.DeleteVXC(ctx, uid, &mp.DeleteVXCRequest{DeleteNow: true}); err != nil {
			fail("cancelling %s: %v", uid, err)
		}
		v := must(c.VXCService.GetVXC(ctx, uid))
		check(v.ProvisioningStatus == mp.STATUS_DECOMMISSIONED, "%s is %s", uid, v.ProvisioningStatus)
	}
	held("%d VXCs cancelled, tombstones readable", len(vxcs))
	until("the prefix list is free", func() bool {
		_, err := c.MCRService.DeleteMCRPrefixFilterList(ctx, router, list)
		return err == nil
	})
	if err := drop(true); err != nil {
		fail("cancelling the router: %v", err)
	}
	m := must(c.MCRService.GetMCR(ctx, router))
	check(m.ProvisioningStatus == mp.STATUS_DECOMMISSIONED, "the router is %s", m.ProvisioningStatus)
	check(errors.Is(c.MCRService.WaitForMCRReady(ctx, router, time.Second), mp.ErrMCRDecommissioned), "waiting for it")
	_, err = c.MCRService.RestoreMCR(ctx, router)
	check(err != nil, "a cancelled router was restored")
	active := must(c.MCRService.ListMCRs(ctx, nil))
	all := must(c.MCRService.ListMCRs(ctx, &mp.ListMCRsRequest{IncludeInactive: true}))
	check(len(active) == 0 && len(all) == 1, "%d active of %d routers", len(active), len(all))
	held("router cancelled")
	_, err = c.MCRService.GetMCR(ctx, "00000000-0000-4000-8000-00000000dead")
	check(mp.IsServiceNotFoundError(err), "an unknown UID: %v", err)
	held("an unknown UID is told as such: %v", err)
}
