from tests.factories import *
def test_all(cast):
    PriceFactory.create()
    v=ToolVersionFactory.create(tool__team=cast.team, irreversible=True)
    assert v.effect=='irreversible'
    r=ToolVersionFactory.create(tool=v.tool, reads=True); assert (r.number,r.effect)==(2,'read')
    g=GrantFactory.create(identity=cast.agent, tool=v.tool)
    assert cast.agent.service_account.has_perm('use_tool', v.tool)
    run=RunFactory.create(agent_version__identity=cast.agent, agent_version__catalogue=[v], agent_version__published=True)
    assert run.team==cast.team and run.principal.team==cast.team
    assert run.agent_version.state=='published' and run.agent_version.catalogue.count()==1
    a=ApprovalRequestFactory.create(identity=cast.agent); assert a.tool.team==cast.team
    ToolVersionFactory.create()
